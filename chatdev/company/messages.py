"""From a validator's findings to lines a person can act on.

Contract: `validated` turns a YAML tree into a typed object and returns every fault as a `UserError` with
file and line, in this project's words; pydantic's own wording never gets through. What is faulty is left
out and the rest validated again, so that the linter can still look at it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from chatdev.company.fields import ARTIFACT_PATTERN, NAME_PATTERN, SIZE_PATTERN, Settings, kind_of, quoted
from chatdev.company.safe_yaml import Map, plain
from chatdev.company.steps import STEP_TAGS
from chatdev.company.tree import follow, without
from chatdev.errors import UserError

M = TypeVar("M", bound=Settings)

_PATTERNS = {
    NAME_PATTERN: "is not a name (lower-case letters, digits, _ and -, a letter first)",
    ARTIFACT_PATTERN: "is not an artifact's name (lower-case letters, digits and _, a letter first)",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
_SHAPES = {
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean "reviewer"?)`, or nothing when no known word is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {quoted(near[0])}?)" if near else ""


def validated(model: type[M], tree: Map) -> tuple[M | None, Map, list[UserError]]:
    """The object, the tree it was made from (without what is faulty), and what is wrong.

    The object is None when what is left is not enough to make one.
    """
    errors: list[UserError] = []
    for attempt in range(4):
        try:
            return model.model_validate(plain(tree)), tree, errors
        except ValidationError as found:
            faults = found.errors(include_url=False)
        if attempt == 0:
            errors = [_worded(model, tree, fault) for fault in faults]
        paths = [follow(tree, fault["loc"])[0] for fault in faults]
        if () in paths:
            break
        rest = without(tree, paths)
        assert isinstance(rest, Map)
        tree = rest
    return None, tree, errors


def _worded(model: type[Settings], tree: Map, fault: Any) -> UserError:
    loc = fault["loc"]
    path, node, mark = follow(tree, loc)
    found = kind_of(plain(node))
    kind, context = fault["type"], fault.get("ctx", {})
    label = _label(path)
    if kind == "missing":
        inside = f" in {label}" if path else ""
        what = f"the key {quoted(str(loc[-1]))} is missing{inside}"
    elif kind == "extra_forbidden":
        holder = follow(tree, loc[:-1])[0]
        mark = _key_mark(tree, loc)
        inside = f" in {_label(holder)}" if holder else ""
        what = f"unknown key {quoted(str(loc[-1]))}{inside}{_meant(str(loc[-1]), _keys_at(model, loc[:-1]))}"
    elif kind == "literal_error":
        options = re.findall(r"'([^']*)'", context["expected"])
        listed = ", ".join(options[:-1]) + f" or {options[-1]}" if len(options) > 1 else options[0]
        what = f"{label} must be {listed}, found {found}{did_you_mean(found.strip(chr(34)), options)}"
    elif kind == "string_pattern_mismatch":
        what = _mismatch(context["pattern"], label, found)
    elif kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        what = f"{label} must be {words} {context[key]:g}, found {found}"
    elif kind in ("string_too_short", "too_short"):
        what = f"{label} is empty"
    elif kind in _SHAPES:
        what = f"{label} must be {_SHAPES[kind]}, found {found}"
    elif kind == "value_error":
        what = f"{label}: {context['error']}"
    else:
        what = f"{label} is not understood: {found}"
    return UserError(what, where=str(mark))


def _mismatch(pattern: str, label: str, found: str) -> str:
    if pattern == SIZE_PATTERN:
        return f"{label} must be a size such as 512m or 1g, found {found}"
    said = _PATTERNS.get(pattern, "is not a name (letters, digits, _ and -, a letter first)")
    return f"{found} {said}"


def _label(path: Sequence[str | int]) -> str:
    """`limits.tokens`; inside a list only what follows the last number (`loop.times`), else the list's
    name."""
    last = max((n for n, part in enumerate(path) if isinstance(part, int)), default=-1)
    words = [str(part) for part in path[last + 1 :]]
    if not words:
        words = [str(part) for part in path if isinstance(part, str)][-1:]
    return ".".join(words)


def _key_mark(tree: Map, loc: Sequence[str | int]) -> Any:
    """The line of a key itself, whatever its value."""
    holder = follow(tree, loc[:-1])[1]
    key = str(loc[-1])
    return holder.keys[key] if isinstance(holder, Map) and key in holder.keys else holder.mark


def _meant(word: str, known: Sequence[str]) -> str:
    return did_you_mean(word, known) or (f" (known: {', '.join(known)})" if known else "")


def _keys_at(model: type[Settings], loc: Sequence[str | int]) -> list[str]:
    """The keys that the mapping at `loc` may have."""
    here: list[type[Settings]] = [model]
    for part in loc:
        if part in STEP_TAGS:
            here = [STEP_TAGS[str(part)]]
        elif isinstance(part, str):
            fields = [one.model_fields[part] for one in here if part in one.model_fields]
            here = [made for field in fields for made in _models(field.annotation)] or here
    return sorted({key for one in here for key in one.model_fields})


def _models(annotation: Any) -> list[type[Settings]]:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    return [made for inner in get_args(annotation) for made in _models(inner)]
