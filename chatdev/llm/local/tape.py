"""The newest tokens of a stream, numbered from its beginning; older ones are forgotten, so memory stays flat."""

from __future__ import annotations

from collections.abc import Iterable


class Tape:
    """Token ids [start, total); at least the newest `keep` of them are there."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self.ids: list[int] = []
        self.start = 0

    @property
    def total(self) -> int:
        """Tokens of the stream since its beginning."""
        return self.start + len(self.ids)

    def extend(self, ids: Iterable[int]) -> None:
        """Append tokens."""
        self.ids.extend(ids)
        if len(self.ids) > 2 * self.keep:
            drop = len(self.ids) - self.keep
            del self.ids[:drop]
            self.start += drop

    def since(self, position: int) -> list[int]:
        """The tokens from `position` on; it must not be older than what is kept."""
        if position < self.start:
            raise LookupError(f"token {position} is forgotten, the tape begins at {self.start}")
        return self.ids[position - self.start :]

    def drop_last(self, count: int) -> None:
        """Take the newest tokens off again."""
        if count:
            del self.ids[-count:]

    def copy(self) -> Tape:
        """An independent tape with the same tokens."""
        twin = Tape(self.keep)
        twin.ids, twin.start = list(self.ids), self.start
        return twin
