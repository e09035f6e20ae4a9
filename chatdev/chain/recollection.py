"""How an agent's stream takes up what it heard and said in an earlier life of the run.

A stream that only keeps text is told everything again, at no cost. A stream that computes what it remembers (a local
model) sleeps while the walk passes over the past, and wakes when it is first needed: from its newest snapshot, after
which it hears and says once more what came later. Said again means generated again, from the same numbers with the
same seed, and compared with the journal: so what follows is byte for byte what it would have been. Where there is no
snapshot and too much to generate, the journal's text is fed instead, and one notice says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from chatdev.chain.snapshots import Snapshots
from chatdev.llm.base import Mark, SayLimits, Stream

REPEATED = 120.0
"""Seconds of the model's time that are rather spent again than given up for a memory that is only nearly the same."""


REFED = "no snapshot of the streams fits: they are fed again from the journal, and may go on in other words"


@dataclass(frozen=True)
class Moment:
    """One thing a stream heard or said."""

    kind: Literal["heard", "said"]
    text: str
    limit: int = 0
    """Tokens the reply could have had."""
    seconds: float = 0.0
    """What it took to say it."""


class Recollection:
    """One agent's stream and its past."""

    def __init__(
        self, open_stream: Callable[[], Stream], birth: str, name: str, shelf: Snapshots, notice: Callable[[str], None]
    ) -> None:
        """`birth` is everything that makes the stream what it is (model, head, seed); `name` finds its snapshots."""
        self.stream = open_stream()
        self._open, self._name, self._shelf, self._notice = open_stream, name, shelf, notice
        self._asleep = getattr(self.stream, "savable", None) is not None
        self._keeps = self._asleep
        self._past: list[Moment] = []
        self._prints = [hashlib.blake2b(birth.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()]
        """A fingerprint of all moments up to each place; they tell whether a snapshot belongs to this past."""
        self._unsaved = 0.0

    def again(self, moment: Moment, mark: list[int] | None) -> Mark:
        """Pass over a moment that the journal holds; `mark` is where it stood in the stream, if that was recorded."""
        if self._asleep and mark is not None:
            self._remember(moment)
            return Mark(*mark)
        self.wake()
        self._remember(moment)
        feed = self.stream.hear if moment.kind == "heard" else self.stream.recall
        return feed(moment.text)

    def lived(self, moment: Moment) -> None:
        """The awake stream has just heard or said something new, and the journal holds it."""
        self._remember(moment)
        if moment.kind == "said" and self._keeps:
            self._unsaved += moment.seconds
            if self._shelf.keep(self.stream, self._name, len(self._past), self._prints[-1], self._unsaved):
                self._unsaved = 0.0

    def wake(self) -> None:
        """Take up the past, before anything new is heard, said or asked."""
        if not self._asleep:
            return
        self._asleep = False
        known = 0
        for count, path in self._shelf.of(self._name, self._prints):
            if self.stream.load(path):
                known = count
                break
        rest = self._past[known:]
        again = sum(moment.seconds for moment in rest)
        if again <= REPEATED and all(moment.limit for moment in rest if moment.kind == "said") and self._relive(rest):
            self._unsaved = again
            return
        self._notice(REFED)
        self.stream = self._open()
        for moment in self._past:
            (self.stream.hear if moment.kind == "heard" else self.stream.recall)(moment.text)

    def _relive(self, moments: list[Moment]) -> bool:
        """Hear and say the same again; False as soon as something else is said."""
        for moment in moments:
            if moment.kind == "heard":
                self.stream.hear(moment.text)
                continue
            for _ in self.stream.say(SayLimits(tokens=moment.limit)):
                pass
            if self.stream.reply.text != moment.text:
                return False
        return True

    def _remember(self, moment: Moment) -> None:
        if self._keeps:
            self._past.append(moment)
            told = f"{self._prints[-1]} {moment.kind} {moment.text}".encode("utf-8", "surrogatepass")
            self._prints.append(hashlib.blake2b(told, digest_size=16).hexdigest())
