"""The one shape of a complaint about a reply or a file, ready to be shown to a person or sent back to a model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """Something that was asked for and cannot be done, or not as it stands.

    `path` is the file's name as the model wrote it, None when there is no name. `line` counts from 1: in the reply
    for a block that cannot be read or placed, in the file for a syntax error. `message` is a whole sentence that
    names both, so it can be sent on alone.
    """

    path: str | None
    line: int
    message: str

    def __str__(self) -> str:
        return self.message

    @classmethod
    def of_reply(cls, path: str | None, line: int, what: str) -> Problem:
        """A fault of the reply's form or of a name in it."""
        where = f"line {line} of the reply"
        return cls(path, line, f"{path} ({where}): {what}" if path else f"{where}: {what}")

    @classmethod
    def of_file(cls, path: str, line: int, what: str) -> Problem:
        """A fault inside a file's text."""
        return cls(path, line, f"{path}, line {line}: {what}")
