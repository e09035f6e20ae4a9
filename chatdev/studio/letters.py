"""Letters to a run, made of what the page sent: answers and messages. `run.inbox` writes and reads them."""

from __future__ import annotations

from typing import Any

from chatdev.errors import UserError

LONGEST_TEXT = 1_000_000
"""Characters of a letter's text, and of each file in it."""
MOST_FILES = 100


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """An answer to what a person was asked, from a request's body."""
    letter: dict[str, Any] = {"kind": "answer", "question": _text(body, "question"), "answer": _text(body, "answer")}
    if body.get("text"):
        letter["text"] = _text(body, "text")
    files = body.get("files")
    if files:
        if not isinstance(files, dict) or len(files) > MOST_FILES:
            raise UserError(f"files must be a mapping of at most {MOST_FILES} paths to texts")
        letter["files"] = {str(path): _text(files, path) for path in files}
    return letter


def message(body: dict[str, Any]) -> dict[str, Any]:
    """A message to one agent or to all."""
    text = _text(body, "text").strip()
    if not text:
        raise UserError("the message is empty")
    return {"kind": "message", "to": _text(body, "to") or "all", "text": text}


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise UserError(f"{name} must be text")
    if len(value) > LONGEST_TEXT:
        raise UserError(f"{name} has more than {LONGEST_TEXT:,} characters")
    return value.encode("utf-8", "replace").decode("utf-8")
