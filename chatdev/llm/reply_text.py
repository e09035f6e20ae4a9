"""The text of one reply while it arrives: where it ends, and what may be shown already.

Every back end feeds its pieces through a `ReplyText`, so that stop strings, the size limit and broken
characters are treated alike everywhere: a stop string is found even when it lies across two pieces, and is
never shown in part.
"""

from __future__ import annotations

from typing import Literal

from chatdev.llm.tokens import clean


class ReplyText:
    """Collects a reply.

    Args:
        stops: strings that end the reply; they are not part of it.
        most_chars: a hard cap in characters; reaching it ends the reply.
    """

    def __init__(self, stops: tuple[str, ...] = (), most_chars: int = 400_000) -> None:
        self._stops = tuple(s for s in stops if s)
        self._most = most_chars
        self._held = ""
        self._shown: list[str] = []
        self._length = 0
        self.ended: Literal["stop", "length"] | None = None
        """Set once the reply is over by its own rules; feed nothing after that."""

    @property
    def text(self) -> str:
        """All that was shown: always the concatenation of what `feed` and `finish` returned."""
        return "".join(self._shown)

    def feed(self, piece: str) -> str:
        """Take a piece in and return what may be shown now (often the piece itself, sometimes nothing)."""
        if self.ended:
            return ""
        buffer = self._held + piece
        cuts = [at for at in (buffer.find(stop) for stop in self._stops) if at >= 0]
        if cuts:
            self.ended = "stop"
            ready, self._held = buffer[: min(cuts)], ""
        else:
            keep = self._undecided(buffer)
            ready, self._held = buffer[: len(buffer) - keep], buffer[len(buffer) - keep :]
        return self._show(ready)

    def finish(self) -> str:
        """The source has nothing more: return what was held back."""
        rest, self._held = self._held, ""
        return "" if self.ended else self._show(rest)

    def _undecided(self, buffer: str) -> int:
        """Length of the tail that may still become a stop string, or is the first half of a character."""
        longest = 1 if buffer and "\ud800" <= buffer[-1] <= "\udbff" else 0
        for stop in self._stops:
            for size in range(min(len(stop) - 1, len(buffer)), longest, -1):
                if buffer.endswith(stop[:size]):
                    longest = size
                    break
        return longest

    def _show(self, ready: str) -> str:
        ready = clean(ready)
        room = self._most - self._length
        if len(ready) > room:
            ready, self.ended = ready[:room], "length"
        self._length += len(ready)
        if ready:
            self._shown.append(ready)
        return ready
