"""The inbox: how somebody who is not at the run's terminal speaks to a run.

`PRODUCT/.chatdev/inbox/` holds one JSON object a file, `<time_ns>-<random>.json`, written whole or not at all. The run
reads them in the order of their names, acts, records what it did in the journal, and removes the file. A file that is
no letter is moved to `inbox/refused/`.

    {"kind": "answer", "question": "<key of the `asked` event>", "answer": "comment", "text": "...", "files": {...}}
    {"kind": "message", "to": "<role>|all|", "text": "..."}     without `to`: the agent that works next
    {"kind": "stop"}

What lies in an inbox comes from a stranger until it was read here: sizes are bounded, links are not followed.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chatdev.run.files import write_atomic

LONGEST = 8_000_000
"""Bytes of one letter; an answer may hold edited files."""
LONGEST_TEXT = 100_000
"""Characters of a message or a comment that the run takes; an edited artifact or file may be longer."""
ANSWERS = ("approve", "comment", "edit", "reject", "skip", "stop", "always")


@dataclass(frozen=True)
class Letter:
    """One letter as it was read."""

    name: str
    """Its file's name, by which it is removed."""
    kind: str
    text: str = ""
    to: str = ""
    question: str = ""
    answer: str = ""
    files: dict[str, str] = field(default_factory=dict)


class Inbox:
    """The letters to one product."""

    def __init__(self, folder: Path, refused: Callable[[str], None] = lambda text: None) -> None:
        """`refused` is told, in one line, of every file that is no letter."""
        self.folder, self._refused = folder, refused

    def put(self, letter: Mapping[str, Any]) -> str:
        """Write a letter; returns its name."""
        name = f"{time.time_ns()}-{secrets.token_hex(4)}.json"
        write_atomic(self.folder / name, json.dumps(dict(letter), ensure_ascii=True) + "\n")
        return name

    def letters(self) -> list[Letter]:
        """All letters in the order they were written; what is none is refused."""
        found = []
        for name in self.names():
            try:
                found.append(read_letter(self.folder / name))
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                self.refuse(name, str(error))
        return found

    def refuse(self, name: str, why: str) -> None:
        """Put a file aside, and say so."""
        aside = self.folder / "refused"
        with contextlib.suppress(OSError):
            aside.mkdir(exist_ok=True)
            (self.folder / name).replace(aside / name)
        # Where it could not be moved it must at least not be read for ever.
        self.remove(name)
        self._refused(f"a letter was refused ({why}): {name[:80]}")

    def remove(self, name: str) -> None:
        """Take a letter away; it was acted on, and that is in the journal."""
        with contextlib.suppress(OSError):
            (self.folder / name).unlink()

    def is_stop(self, name: str) -> bool:
        """Whether a file is a letter that asks the run to stop; refuses nothing."""
        try:
            return read_letter(self.folder / name).kind == "stop"
        except (OSError, ValueError):
            return False

    def names(self) -> list[str]:
        """Names of the files that may be letters, in order."""
        try:
            names = [path.name for path in self.folder.iterdir()]
        except OSError:
            return []
        return sorted(name for name in names if name.endswith(".json") and not name.startswith("."))


def read_letter(path: Path) -> Letter:
    """Read one file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no letter, with the reason.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("it is no plain file")
        raw = file.read(LONGEST + 1)
    if len(raw) > LONGEST:
        raise ValueError(f"it has more than {LONGEST:,} bytes")
    try:
        value = json.loads(raw.decode("utf-8", errors="replace"))
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    return letter_of(value, path.name)


def letter_of(value: Any, name: str) -> Letter:
    """A letter from what its file holds; unknown fields are passed over. Raises ValueError with the reason."""
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    kind = value.get("kind")
    if kind not in ("answer", "message", "stop"):
        raise ValueError("its kind is not answer, message or stop")
    texts = {key: value.get(key) or "" for key in ("text", "to", "question", "answer")}
    files = value.get("files") or {}
    if not all(isinstance(text, str) for text in texts.values()):
        raise ValueError("text, to, question and answer must be texts")
    if not isinstance(files, dict) or not all(isinstance(text, str) for text in files.values()):
        raise ValueError("files must map paths to texts")
    if kind == "answer" and (not texts["question"] or texts["answer"] not in ANSWERS):
        raise ValueError(f"an answer names its question and is one of {', '.join(ANSWERS)}")
    if kind == "message" and not texts["text"].strip():
        raise ValueError("the message is empty")
    return Letter(name, kind, files=files, **texts)
