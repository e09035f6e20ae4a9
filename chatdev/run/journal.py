"""The append-only record of a run, and its single source of truth.

One JSON object a line: `{"v": 1, "id": 7, "at": 1790000000.123, "kind": "said", "key": "...", ...}`. Terminal, web
page, report, resume and replay are readers of it. Everything the chain does that costs something or changes
something is written under a `key` that names it once and for all (step, agent, turn). A resumed run walks the chain
from its beginning and takes from the journal whatever has a key there already, so nothing is paid or done twice
(the idea of durable execution: replay the decisions, redo nothing).

Going back destroys nothing either: an `undone` event says from which event on the past no longer counts, a `redone`
event takes that back (see `past`). `events` are all events, `recorded` and `of_kind` know those that count.

Every event reaches the operating system at once, so a killed process loses none. The disk is waited for only where
something was paid for or is about to change outside the journal; what can be made again from the events before it
(RIDING) becomes durable together with the next such event, in one fsync for all of them. What a power cut tore off
the end is cut away, and kept beside the journal, when it is next opened.
"""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatdev.errors import UserError
from chatdev.run.files import sync_folder
from chatdev.run.past import BACK_AND_FORTH, counting

VERSION = 1
RIDING = frozenset(
    "words progress told artifact filed looked rung notice waiting step_started step_ended loop_ended".split()  # noqa: SIM905
)
"""Kinds that are not worth waiting for the disk: made from what was recorded before them, or only for readers."""


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
    return _event(raw)


def _event(raw: Any) -> Event:
    if not isinstance(raw, dict) or not isinstance(raw.get("id"), int):
        raise ValueError("not an event")
    if not isinstance(raw.get("kind"), str) or not isinstance(raw.get("at"), int | float):
        raise ValueError("not an event")
    if raw.pop("v", None) != VERSION:
        raise ValueError("unknown journal version")
    if raw["kind"] in BACK_AND_FORTH and not isinstance(raw.get(BACK_AND_FORTH[raw["kind"]]), int):
        raise ValueError("it does not say how far to go back")
    return Event(raw.pop("id"), raw.pop("at"), raw.pop("kind"), raw.pop("key", None), raw)


def read_events(path: Path) -> tuple[list[Event], int]:
    """All whole events of a journal and the number of bytes they take.

    The end may be damaged (a crash while it was written, a power cut before the disk was waited for). Damage before
    an event that the disk was waited for means that somebody edited the file, and is a UserError that names the line.
    """
    raw = path.read_bytes() if path.exists() else b""
    good = raw.rfind(b"\n") + 1
    lines = raw[:good].split(b"\n")[:-1]
    whole = _all_at_once(lines)
    return (whole, good) if whole is not None else _one_by_one(path, lines)


def first_of(path: Path, kind: str) -> Event | None:
    """The first event of a kind, without reading further; None when there is none. Errors as `read_events`."""
    with path.open("rb") as lines:
        for line in lines:
            try:
                event = parse_line(line)
            except ValueError:
                break
            if event.kind == kind:
                return event
    events, _ = read_events(path)
    return next((event for event in events if event.kind == kind), None)


def _all_at_once(lines: list[bytes]) -> list[Event] | None:
    """The events of undamaged lines, parsed in one go, which takes half the time; None when any is damaged."""
    collecting = gc.isenabled()
    gc.disable()  # nothing here is garbage, and looking for it would take longer than the parsing
    try:
        found = json.loads(b"[" + b",".join(lines) + b"]")
        return [_event(raw) for raw in found] if len(found) == len(lines) else None
    except (ValueError, RecursionError):
        return None
    finally:
        if collecting:
            gc.enable()


def _one_by_one(path: Path, lines: list[bytes]) -> tuple[list[Event], int]:
    events: list[Event] = []
    good = 0
    damage: tuple[int, ValueError] | None = None
    for number, line in enumerate(lines, start=1):
        try:
            event = parse_line(line)
        except ValueError as error:
            damage = damage or (number, error)
            continue
        if damage is None:
            events.append(event)
            good += len(line) + 1
        elif event.kind not in RIDING:
            raise UserError(
                f"the journal is damaged ({damage[1]})",
                where=f"{path}:{damage[0]}",
                fix="Restore it from a backup, or start a new run from the product's files: --from",
            ) from damage[1]
    return events, good


class Journal:
    """The journal of one product, opened for reading and appending by its one writer."""

    def __init__(self, path: Path, events: list[Event], out: int | None, size: int) -> None:
        """`out` is the open file, None for a journal that is only looked at; `size` the bytes in it."""
        self.path, self.events, self._out, self._size = path, events, out, size
        self._readers: list[Callable[[Event], None]] = []
        self._fold()

    @classmethod
    def open(cls, path: Path) -> Journal:
        """Open or create; what is torn off the end moves to `journal.torn`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        events, good = read_events(path)
        new = not path.exists()
        out = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
        try:
            if os.fstat(out).st_size > good:
                with path.open("rb") as whole:
                    whole.seek(good)
                    path.with_suffix(".torn").write_bytes(whole.read())
                os.truncate(out, good)
            if new:
                sync_folder(path.parent)
        except BaseException:
            os.close(out)
            raise
        return cls(path, events, out, good)

    @classmethod
    def reading(cls, path: Path, events: list[Event]) -> Journal:
        """A journal that is only looked at; appending to it fails."""
        return cls(path, events, None, 0)

    def subscribe(self, reader: Callable[[Event], None]) -> None:
        """Hand every event appended from now on to `reader`."""
        self._readers.append(reader)

    def append(self, kind: str, key: str | None = None, **data: Any) -> Event:
        """Write one event; when this returns a kill cannot lose it, and a power cut can only if its kind is RIDING.

        Raises:
            OSError: it could not be written (a full disk); the journal is as it was before.
        """
        at = round(time.time(), 3)
        event = Event(self.events[-1].id + 1 if self.events else 1, at, kind, key, data)
        self._write(event.to_line(), wait=kind not in RIDING)
        self.events.append(event)
        if kind in BACK_AND_FORTH:
            self._fold()
        else:
            self._count(event)
        for reader in list(self._readers):
            try:
                reader(event)
            except (BrokenPipeError, ValueError, OSError):
                # A screen whose terminal is gone is no reason to end a run that is being paid for.
                self._readers.remove(reader)
        return event

    def _write(self, line: bytes, wait: bool) -> None:
        if self._out is None:
            raise ValueError("this journal is only looked at")
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(self._out, rest) :]
            if wait:
                os.fsync(self._out)
        except BaseException:
            # Half a line must never stand before a whole one. On a full disk a file can still become shorter.
            os.truncate(self._out, self._size)
            raise
        self._size += len(line)

    def _fold(self) -> None:
        """Find out which events count, from the first."""
        self._by_key: dict[str, Event] = {}
        self._by_kind: dict[str, list[Event]] = {}
        for event in counting(self.events):
            self._count(event)

    def _count(self, event: Event) -> None:
        if event.key is not None:
            self._by_key[event.key] = event
        self._by_kind.setdefault(event.kind, []).append(event)

    def recorded(self, key: str) -> Event | None:
        """The event written under this key in this life or an earlier one, unless it was undone."""
        return self._by_key.get(key)

    def once(self, kind: str, key: str, make: Callable[[], dict[str, Any]]) -> Event:
        """The recorded event of this key, or `make()` it, write it and return it."""
        return self._by_key.get(key) or self.append(kind, key, **make())

    def of_kind(self, *kinds: str) -> Iterator[Event]:
        """Events of these kinds that count, oldest first."""
        if len(kinds) == 1:
            return iter(self._by_kind.get(kinds[0], ()))
        found = (event for kind in kinds for event in self._by_kind.get(kind, ()))
        return iter(sorted(found, key=lambda event: event.id))

    def close(self) -> None:
        if self._out is not None:
            os.close(self._out)
            self._out = None
