"""A model that takes over in some phases, while the oracle answers in all others: what can it do by itself?

The model's streams hear and recall everything as if it had said it, so it meets a repair exactly as in its own run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from chatdev.apprentice.course import Course
from chatdev.apprentice.oracle import Oracle, OracleStream
from chatdev.llm.base import Mark, Model, Reply, SayLimits, Stream, Usage, WindowState

if TYPE_CHECKING:
    from chatdev.apprentice.curriculum import Lesson

REPAIR = ("error_summary", "test_modification")


class Deputy(Oracle):
    """An oracle whose place `model` takes in the phases `takes`."""

    def __init__(
        self, lesson: Lesson | None, course: Course, seed: int, model: Model, takes: Collection[str] = REPAIR
    ) -> None:
        super().__init__(lesson, course, seed)
        self.model, self.takes = model, takes

    @property
    def doubtful(self) -> bool:
        """Nobody knows what the model wrote."""
        return True

    def open(self, head: str, *, seed: int = 0) -> OracleStream:
        """A stream of the model that the oracle speaks through."""
        return cast("OracleStream", _Shared(self, self.model.open(head, seed=seed)))


class _Shared:
    """One stream, two speakers."""

    def __init__(self, deputy: Deputy, inner: Stream) -> None:
        self.deputy, self.inner = deputy, inner
        self._reply: Reply | None = None

    @property
    def reply(self) -> Reply:
        return self._reply or self.inner.reply

    @property
    def window(self) -> WindowState:
        return self.inner.window

    def hear(self, text: str) -> Mark:
        return self.inner.hear(text)

    def recall(self, text: str) -> Mark:
        return self.inner.recall(text)

    def say(self, limits: SayLimits) -> Iterator[str]:
        if self.deputy.phase in self.deputy.takes:
            self._reply = None
            yield from self.inner.say(limits)
            return
        text = self.deputy.answer()
        self._reply = Reply(text, "stop", Usage(), self.inner.recall(text))
        yield text

    def holds(self, mark: Mark) -> bool:
        return self.inner.holds(mark)

    def fork(self) -> Stream:
        return self.inner.fork()

    def save(self, path: Path) -> None:
        self.inner.save(path)

    def load(self, path: Path) -> bool:
        return self.inner.load(path)
