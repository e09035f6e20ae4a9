"""The kinds of values a YAML file may hold, read by the field's type and never guessed.

Contract: the reader (`safe_yaml`) hands every plain scalar over as its source text, so a `str` field gets
`1.10`, `no` and `12:30` as written. The types here turn that text into numbers and truth values, and refuse
with a plain sentence what YAML 1.1 would have turned silently (`no` → False, `010` → 8, `12:30` → 750).
Values that are already typed (a company built in Python) pass through. Non-goal: any knowledge of what the
values mean.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

_INT = re.compile(r"[+-]?(0|[1-9][0-9]*(_[0-9]+)*)")
_FLOAT = re.compile(r"[+-]?[0-9]+(_[0-9]+)*(\.[0-9]*)?([eE][+-]?[0-9]+)?")
_TRUTH = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


class Settings(BaseModel):
    """Base of everything that is read from YAML: unknown keys are refused, field docstrings are
    descriptions."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, validate_default=False)


def _integer(value: Any) -> Any:
    if isinstance(value, str):
        if not _INT.fullmatch(value):
            raise ValueError(f"expected a whole number such as 3 or 200_000, found {quoted(value)}")
        if len(value) > 18:
            raise ValueError(f"the number {quoted(value)} is too large")
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"expected a whole number, found {kind_of(value)}")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, str):
        if not _FLOAT.fullmatch(value):
            raise ValueError(f"expected a number such as 0.2, found {quoted(value)}")
        if len(value) > 40 or not math.isfinite(float(value)):
            raise ValueError(f"the number {quoted(value)} is too large")
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number, found {kind_of(value)}")
    return value


def _truth(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if value.lower() in ("true", "false"):
            return value.lower() == "true"
        if value.lower() in _TRUTH:
            raise ValueError(f"expected true or false, found {quoted(value)} (write {_TRUTH[value.lower()]})")
        raise ValueError(f"expected true or false, found {quoted(value)}")
    raise ValueError(f"expected true or false, found {kind_of(value)}")


def listed(value: Any) -> Any:
    """A single name where a list of names is expected counts as a list of one; nothing at all as an empty
    list."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else value


def quoted(value: str) -> str:
    """`value` in double quotes, on one line and cut at 60 characters, for an error message."""
    flat = " ".join(value.split())
    flat = "".join(c if c.isprintable() else "?" for c in flat)
    return f'"{flat[:57]}..."' if len(flat) > 60 else f'"{flat}"'


def kind_of(value: object) -> str:
    """What a person would call a value: 'a list', 'a mapping', 'nothing', …"""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value)
    return text if _FLOAT.fullmatch(text) and len(text) < 60 else quoted(text)


Int = Annotated[int, BeforeValidator(_integer)]
Float = Annotated[float, BeforeValidator(_number)]
Bool = Annotated[bool, BeforeValidator(_truth)]

NAME_PATTERN = r"^[a-z][a-z0-9_-]{0,63}$"
ARTIFACT_PATTERN = r"^[a-z][a-z0-9_]{0,63}$"
SIZE_PATTERN = r"^[1-9][0-9]*[bkmg]?$"

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Artifact = Annotated[str, Field(pattern=ARTIFACT_PATTERN)]
Size = Annotated[str, Field(pattern=SIZE_PATTERN)]

_TEXTS: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
Names = Annotated[list[Name], BeforeValidator(listed), WithJsonSchema(_TEXTS)]
Artifacts = Annotated[
    list[Artifact],
    BeforeValidator(listed),
    WithJsonSchema({"anyOf": [*_TEXTS["anyOf"], {"type": "null"}]}),
]
Globs = Annotated[list[str], BeforeValidator(listed), WithJsonSchema(_TEXTS)]
