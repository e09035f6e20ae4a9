"""The YAML of a scripted model: recorded replies, and what each one answers.

    name: snake
    about: one complete run that builds a snake game
    pace: 40                           # tokens a second; everything at once unless given
    replies:
      - A plain reply is played when its turn comes.
      - hears: ^Please review          # a regular expression on the last text heard
        head: Code Reviewer            # and one on the pinned head; both optional
        say: |
          <INFO> Finished
        times: 2                       # 1 unless given; `always` never runs out

Non-goal: logic. What cannot be said with two regular expressions belongs into a real model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chatdev.errors import UserError, UserErrors

LARGEST_SCRIPT = 16_000_000
"""Bytes; a script beyond that is not a script."""


@dataclass(frozen=True)
class Entry:
    """One recorded reply."""

    say: str
    hears: re.Pattern[str] | None = None
    head: re.Pattern[str] | None = None
    times: int | None = 1
    """How often it may be played; None is always."""

    def answers(self, head: str, heard: str) -> bool:
        """True when this reply was recorded for such a head and such a text."""
        return (self.head is None or bool(self.head.search(head))) and (
            self.hears is None or bool(self.hears.search(heard))
        )


@dataclass(frozen=True)
class Script:
    """A parsed script file."""

    path: Path
    name: str
    about: str
    replies: tuple[Entry, ...]
    pace: float = 0.0
    """Tokens a second; 0 says everything at once."""
    resends: bool = False
    """Let the scripted model count like an endpoint, which reads the whole conversation for every reply."""


def read_script(path: Path) -> Script:
    """Read and check a script.

    Raises:
        UserError, UserErrors: with file and line, when it is missing, no YAML, or says something unknown.
    """
    text = _read(path)
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        data = loader.construct_document(node) if node is not None else None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UserError(f"not valid YAML: {problem}", where=f"{path}{line}") from None
    if not isinstance(data, dict) or not isinstance(data.get("replies"), list) or not data["replies"]:
        raise UserError("a script is a mapping with a list `replies`", where=str(path), fix=_SHAPE)
    lines = _reply_lines(node)
    errors = [
        UserError(f"unknown key {key!r} in a script", where=str(path), fix=_SHAPE)
        for key in data
        if key not in ("name", "about", "pace", "replies", "resends")
    ]
    entries: list[Entry] = []
    for index, raw in enumerate(data["replies"]):
        try:
            entries.append(_entry(raw))
        except ValueError as error:
            errors.append(UserError(f"reply {index + 1}: {error}", where=f"{path}:{lines[index]}"))
    if not isinstance(data.get("resends", False), bool):
        errors.append(UserError("`resends` is true or false", where=str(path)))
    pace = data.get("pace", 0)
    if isinstance(pace, bool) or not isinstance(pace, int | float) or pace < 0:
        errors.append(UserError("`pace` is a number of tokens a second", where=str(path)))
    if errors:
        raise errors[0] if len(errors) == 1 else UserErrors(errors)
    name, about = str(data.get("name") or path.stem), str(data.get("about") or "")
    return Script(path, name, about.strip(), tuple(entries), pace, data.get("resends", False))


_SHAPE = "Its keys are name, about, pace, replies and resends"


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_SCRIPT:
            raise UserError("the script is larger than 16 MB", where=str(path))
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError("no such script", where=str(path), fix="Name a script file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the script cannot be read ({error})", where=str(path)) from None


def _reply_lines(root: Any) -> list[int]:
    """Line numbers of the entries, for messages."""
    for key, value in root.value:
        if key.value == "replies":
            return [item.start_mark.line + 1 for item in value.value]
    return []


def _entry(raw: object) -> Entry:
    """One entry of `replies`; ValueError with a plain clause when it is none."""
    if isinstance(raw, str):
        return Entry(raw)
    if not isinstance(raw, dict):
        raise ValueError(f"must be text, but YAML reads {raw!r} as {type(raw).__name__} (quote it)")
    unknown = sorted(str(key) for key in raw if key not in ("hears", "head", "say", "times"))
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r} (known are hears, head, say, times)")
    if not isinstance(raw.get("say"), str):
        raise ValueError("`say` must be text")
    return Entry(raw["say"], _pattern(raw, "hears"), _pattern(raw, "head"), _times(raw.get("times", 1)))


def _pattern(raw: dict[str, Any], key: str) -> re.Pattern[str] | None:
    if raw.get(key) is None:
        return None
    try:
        return re.compile(str(raw[key]).rstrip("\n"), re.MULTILINE)
    except re.error as error:
        raise ValueError(f"`{key}` is not a regular expression ({error})") from None


def _times(raw: object) -> int | None:
    if raw == "always":
        return None
    if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 1:
        return raw
    raise ValueError("`times` must be a whole number from 1 on, or always")
