"""A journal as it grows: read once, folded as it comes, shared by everybody who watches.

Words are dropped when the reply they belong to is recorded whole. Words that never became a reply (a kill, a broken
connection) are kept with the event that ended them, as `unsaid`, so that a reader who comes later misses nothing.
"""

from __future__ import annotations

import json
import re
import threading
from bisect import bisect_right
from pathlib import Path

from chatdev.run.journal import Event, parse_line

ENDS_TALK = frozenset({"life", "stopped", "run_ended", "spent"})
"""Kinds after which an unfinished reply will never be finished."""
_WORDS = re.compile(rb'\{"v":1,"id":\d+,"at":[\d.eE+-]+,"kind":"words",')
CHUNK = 8_000_000
"""Bytes read at once."""


class Feed:
    """All events of one journal, safe to be refreshed from several threads.

    `events` holds everything but words and progress; `words` those of replies that are being said now; `progress` the
    newest of its kind. All are in the order of their ids.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self.gone = False
        """The journal cannot be found any more."""
        self._reset(generation=0)

    def _reset(self, generation: int) -> None:
        self.generation = generation
        """Counts how often the journal was replaced under us; readers begin anew when it changes."""
        self.events: list[Event] = []
        self.words: list[Event] = []
        self.progress: Event | None = None
        self.damage = ""
        self.last_id = 0
        self._ids: list[int] = []
        self._unread: list[bytes] = []
        self._offset = 0
        self._rest = b""
        self._file: tuple[int, int] | None = None
        self._lines = 0

    def refresh(self) -> None:
        """Read what was appended since the last time."""
        with self._lock:
            try:
                found = self.path.stat()
            except OSError:
                self.gone = self._file is not None
                return
            self.gone = False
            name = (found.st_dev, found.st_ino)
            if self._file not in (None, name) or found.st_size < self._offset - len(self._rest):
                self._reset(self.generation + 1)
            self._file = name
            if found.st_size != self._offset:
                self._read()

    def _read(self) -> None:
        with self.path.open("rb") as file:
            file.seek(self._offset)
            while chunk := file.read(CHUNK):
                self._offset += len(chunk)
                *lines, self._rest = (self._rest + chunk).split(b"\n")
                for line in lines:
                    self._line(line)
        self._read_words()

    def _read_words(self) -> None:
        """Words are read when somebody may want them: most belong to replies that are whole by then."""
        for line in self._unread:
            try:
                event = parse_line(line)
            except ValueError as error:
                self.damage = self.damage or f"words: {error}"
                break
            self.words.append(event)
            self.last_id = max(self.last_id, event.id)
        self._unread = []

    def _line(self, line: bytes) -> None:
        self._lines += 1
        if self.damage:
            return
        if _WORDS.match(line):
            self._unread.append(line)
            return
        try:
            event = parse_line(line)
            if event.id <= self.last_id:
                raise ValueError("ids do not rise")
        except ValueError as error:
            self.damage = f"line {self._lines}: {error}"
            return
        self.last_id = event.id
        self._take(event)

    def _take(self, event: Event) -> None:
        if event.kind == "words":
            self.words.append(event)
            return
        if event.kind == "progress":
            self.progress = event
            return
        if event.kind == "said":
            self.words = [one for one in self.words if one.get("agent") != event.get("agent")]
            if self._unread:
                # Within a text the quotes would stand behind a backslash.
                by = b'"agent":' + json.dumps(event.get("agent"), ensure_ascii=False).encode("utf-8", "replace")
                self._unread = [one for one in self._unread if by not in one]
        elif event.kind in ENDS_TALK:
            self._read_words()
            event = self._break_off(event)
        self._put(event)

    def _break_off(self, end: Event) -> Event:
        """`end` with what was half said before it, as `unsaid`."""
        said: dict[str, str] = {}
        for one in self.words:
            agent = str(one.get("agent", ""))
            said[agent] = said.get(agent, "") + str(one.get("text", ""))
        self.words, self.progress = [], None
        if not said:
            return end
        unsaid = [{"agent": agent, "text": text} for agent, text in said.items()]
        return Event(end.id, end.at, end.kind, end.key, {**end.data, "unsaid": unsaid})

    def _put(self, event: Event) -> None:
        self.events.append(event)
        self._ids.append(event.id)

    def after(self, last: int) -> list[Event]:
        """Events with an id above `last`, words of unfinished replies among them."""
        with self._lock:
            found = self.events[bisect_right(self._ids, last) :]
            fresh = [*self.words, *([self.progress] if self.progress else [])]
            return sorted([*found, *(one for one in fresh if one.id > last)], key=lambda one: one.id)

    def until(self, last: int) -> list[Event]:
        """Events with an id of at most `last`."""
        with self._lock:
            return self.events[: bisect_right(self._ids, last)]
