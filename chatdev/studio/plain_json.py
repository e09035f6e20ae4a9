"""JSON that every browser can read, whatever a journal holds: no NaN, no half character, no endless nesting."""

from __future__ import annotations

import json
import math
from typing import Any

DEEPEST = 40
"""Levels of lists and objects that are kept of a value that cannot be written as it is."""


def encode(value: Any) -> bytes:
    """A value as JSON, in ASCII."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")
    except (ValueError, RecursionError):
        return json.dumps(_plain(value, 0), allow_nan=False, separators=(",", ":")).encode("ascii")


def _plain(value: Any, depth: int) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict | list) and depth >= DEEPEST:
        return "(nested too deeply)"
    if isinstance(value, dict):
        return {str(name): _plain(one, depth + 1) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, depth + 1) for one in value]
    return value
