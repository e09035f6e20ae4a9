"""The append-only record of a run, and its single source of truth.

One JSON object a line: `{"v": 1, "id": 7, "at": 1790000000.123, "kind": "said", "key": "...", ...}`. Terminal, web
page, report, resume and replay are readers of it. Everything the chain does that costs something or changes
something is written under a `key` that names it once and for all (step, agent, turn). A resumed run walks the chain
from its beginning and takes from the journal whatever has a key there already, so nothing is paid or done twice
(the idea of durable execution: replay the decisions, redo nothing).

Events without a key (`words`, `progress`, `notice`, `life`) are for readers only. Every event but `words` and
`progress` is fsynced before `append` returns. A last line torn by a crash is cut off, and kept beside the journal,
when it is next opened.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from chatdev.errors import UserError

VERSION = 1
UNSYNCED = frozenset({"words", "progress"})


@dataclass(frozen=True)
class Event:
    """One line of the journal."""

    id: int
    at: float
    """Seconds since 1970, UTC."""
    kind: str
    key: str | None
    data: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.data[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.data.get(name, default)

    def to_line(self) -> bytes:
        head: dict[str, Any] = {"v": VERSION, "id": self.id, "at": self.at, "kind": self.kind}
        if self.key is not None:
            head["key"] = self.key
        # Lone surrogates can come out of broken decoders; they must never make a line unwritable.
        text = json.dumps({**head, **self.data}, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", errors="backslashreplace") + b"\n"


def parse_line(line: bytes) -> Event:
    """Read one line back. Raises ValueError when it is not a whole event of a version we know."""
    try:
        raw = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("id"), int):
        raise ValueError("not an event")
    if not isinstance(raw.get("kind"), str) or not isinstance(raw.get("at"), int | float):
        raise ValueError("not an event")
    if raw.pop("v", None) != VERSION:
        raise ValueError("unknown journal version")
    return Event(raw.pop("id"), raw.pop("at"), raw.pop("kind"), raw.pop("key", None), raw)


def read_events(path: Path) -> tuple[list[Event], int]:
    """All whole events of a journal and the number of bytes they take.

    Only the last line may be damaged (a crash while it was written). Damage before it means that somebody edited
    the file, and is a UserError that names the line.
    """
    events: list[Event] = []
    good = 0
    raw = path.read_bytes() if path.exists() else b""
    lines = raw.split(b"\n")
    for number, line in enumerate(lines, start=1):
        last = number >= len(lines) - 1
        if not line and last:
            break
        whole = number < len(lines)
        try:
            event = parse_line(line)
        except ValueError as error:
            if last:
                break
            raise UserError(
                f"the journal is damaged ({error})",
                where=f"{path}:{number}",
                fix="Restore it from a backup, or start a new run from the product's files: --from",
            ) from error
        if not whole:
            break
        events.append(event)
        good += len(line) + 1
    return events, good


class Journal:
    """The journal of one product, opened for reading and appending by its one writer."""

    def __init__(self, path: Path, events: list[Event], out: IO[bytes]) -> None:
        self.path, self.events, self._out = path, events, out
        self._by_key = {event.key: event for event in events if event.key is not None}
        self._readers: list[Callable[[Event], None]] = []

    @classmethod
    def open(cls, path: Path) -> Journal:
        """Open or create; a torn last line moves to `journal.torn`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        events, good = read_events(path)
        out = path.open("ab")
        if path.stat().st_size > good:
            with path.open("rb") as whole:
                whole.seek(good)
                path.with_suffix(".torn").write_bytes(whole.read())
            out.truncate(good)
        return cls(path, events, out)

    @classmethod
    def reading(cls, path: Path, events: list[Event]) -> Journal:
        """A journal that is only looked at; appending to it fails."""
        return cls(path, events, open(os.devnull, "rb"))  # noqa: PTH123

    def subscribe(self, reader: Callable[[Event], None]) -> None:
        """Hand every event appended from now on to `reader`."""
        self._readers.append(reader)

    def append(self, kind: str, key: str | None = None, **data: Any) -> Event:
        """Write one event; when this returns it is on the disk (all kinds but those of UNSYNCED)."""
        at = round(time.time(), 3)
        event = Event(self.events[-1].id + 1 if self.events else 1, at, kind, key, data)
        self._out.write(event.to_line())
        if kind not in UNSYNCED:
            self._out.flush()
            os.fsync(self._out.fileno())
        self.events.append(event)
        if key is not None:
            self._by_key[key] = event
        for reader in list(self._readers):
            try:
                reader(event)
            except (BrokenPipeError, ValueError, OSError):
                # A screen whose terminal is gone is no reason to end a run that is being paid for.
                self._readers.remove(reader)
        return event

    def recorded(self, key: str) -> Event | None:
        """The event written under this key in this life or an earlier one."""
        return self._by_key.get(key)

    def once(self, kind: str, key: str, make: Callable[[], dict[str, Any]]) -> Event:
        """The recorded event of this key, or `make()` it, write it and return it."""
        return self._by_key.get(key) or self.append(kind, key, **make())

    def of_kind(self, *kinds: str) -> Iterator[Event]:
        return (event for event in self.events if event.kind in kinds)

    def close(self) -> None:
        self._out.close()
