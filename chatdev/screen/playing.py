"""Playing a journal again: the same events to the same screens, at the pace they came or any other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from chatdev.run.journal import Event

LONGEST = 3.0
"""Seconds of one wait at most, at any speed: nobody watches a person think, or the night between two lives."""
LOOK = 0.05
"""Seconds between two looks at the keys."""
FASTER = 2.0


class Player:
    """Plays events.

    Args:
        speed: how many times as fast as it was; 0 waits for nothing.
        key: the key that was pressed since the last call, or nothing.
    """

    def __init__(self, speed: float, key: Callable[[float], str]) -> None:
        self.speed, self._key = speed, key
        self._at = 0.0
        self._paused = False
        self._over = False

    def now(self) -> float:
        """The moment of the run that is being shown, in seconds since 1970."""
        return self._at

    def play(self, events: Sequence[Event], readers: Sequence[Callable[[Event], None]]) -> None:
        """Hand `events` to the readers, one after another; returns when all were shown or somebody ended it."""
        self._at = events[0].at if events else 0.0
        for event in events:
            self._wait(event.at - self._at)
            if self._over:
                return
            self._at = event.at
            for reader in readers:
                reader(event)

    def _wait(self, seconds: float) -> None:
        begun, waited = time.monotonic(), 0.0
        while True:
            wanted = min(seconds / self.speed, LONGEST) if self.speed else 0.0
            left = LOOK if self._paused else min(LOOK, wanted - waited)
            if left <= 0 and not self._paused:
                self._heed(self._key(0.0))
                if not self._paused:
                    return
                continue
            self._heed(self._key(max(left, 0.0)))
            if self._over:
                return
            if not self._paused:
                waited = time.monotonic() - begun
            else:
                begun = time.monotonic() - waited

    def _heed(self, key: str) -> None:
        if key == " ":
            self._paused = not self._paused
        elif key in ("+", "="):
            self.speed *= FASTER
        elif key in ("-", "_"):
            self.speed /= FASTER
        elif key in ("q", "\x1b"):
            self._over, self._paused = True, False
