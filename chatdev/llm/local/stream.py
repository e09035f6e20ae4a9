"""One agent's endless conversation with local weights.

Only new tokens are ever run. Marks count tokens since the beginning of the stream. What was heard is run when the
agent speaks (or is forked or saved), in exact chunks that end where the window evicts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from torch import Tensor

from chatdev.llm.base import Mark, Reply, SayLimits, WindowState
from chatdev.llm.local.lookup import Lookup
from chatdev.llm.local.memory import SinkMemory
from chatdev.llm.local.sampling import Sampler
from chatdev.llm.local.tape import Tape
from chatdev.llm.local.turn import Turn
from chatdev.llm.tokens import clean

if TYPE_CHECKING:
    from chatdev.llm.local.memory import Memory
    from chatdev.llm.local.model import LocalModel

Last = Literal["head", "heard", "said"]


class LocalStream:
    """Opened by `LocalModel.open`."""

    def __init__(self, model: LocalModel, head: list[int], sampler: Sampler) -> None:
        self.model, self.head, self.sampler = model, head, sampler
        self.penalises = sampler.how.repetition_penalty != 1.0
        self.tape = Tape(2 * model.settings.window)
        self.tape.extend(head)
        self.memory: Memory = model.new_memory(head, self.tape)
        self.lookup: Lookup | None = None
        if model.settings.lookup and self.memory.can_step_back:
            self.lookup = Lookup(self.tape)
        self.last: Last = "head"
        self._reply: Reply | None = None
        self._generated = 0
        self._seconds = 0.0

    @property
    def reply(self) -> Reply:
        """The last reply; LookupError before the first one."""
        if self._reply is None:
            raise LookupError("this stream has not said anything yet")
        return self._reply

    @property
    def window(self) -> WindowState:
        """What the model holds of the stream."""
        notes: dict[str, str] = {}
        if self.lookup is not None and self.lookup.proposed:
            notes["lookup"] = f"{self.lookup.rate():.0%} of {self.lookup.proposed:,} drafted tokens accepted"
        usage = self._reply.usage if self._reply else None
        pace = usage.completion_tokens / usage.seconds if usage and usage.seconds else 0.0
        plan = self.memory.plan
        held = plan.held + self.waiting - (plan.gone(self.tape.total) - plan.evicted)
        return WindowState(held, self.tape.total, self.memory.bytes(), pace, notes, self.model.settings.window)

    @property
    def savable(self) -> bool:
        """A snapshot of this stream can be restored (see `snapshot`)."""
        return isinstance(self.memory, SinkMemory) and self.memory.can_rewind

    @property
    def waiting(self) -> int:
        """Tokens on the tape that the model has not run yet."""
        return self.tape.total - self.memory.plan.seen

    def hear(self, text: str) -> Mark:
        """Append what was said to the agent."""
        first, after_reply = self.last == "head", self.last == "said"
        start = self.tape.total
        self.put(self.model.speller.heard(clean(text), first=first, after_reply=after_reply))
        self.last = "heard"
        return Mark(start, self.tape.total)

    def recall(self, text: str) -> Mark:
        """Append a reply of an earlier life."""
        start = self.tape.total
        self.put(self.model.speller.recalled(clean(text)))
        self.last = "said"
        return Mark(start, self.tape.total)

    def say(self, limits: SayLimits) -> Iterator[str]:
        """Yield the reply at word boundaries as it is made.

        A caller that stops listening ends the reply there, with finish `cut`; the stream keeps what was said.
        """
        turn = Turn(self, limits)
        try:
            turn.begin()
            while True:
                if piece := turn.show():
                    yield piece
                if turn.done:
                    break
                ids = turn.want()
                turn.take(self.memory.feed(ids, len(turn.draft) + 1))
        except GeneratorExit:
            turn.end()
            raise
        if rest := turn.end():
            yield rest

    def holds(self, mark: Mark) -> bool:
        """True when the model will see the whole span through the next prompt and its reply, for which half a window is
        set aside."""
        return self.memory.plan.keeps(mark.start, mark.end, self.waiting)

    def fork(self) -> LocalStream:
        """An independent stream that has heard and said the same; the cache is copied, nothing is run again."""
        if self.waiting:
            self.run_waiting()
        twin = object.__new__(LocalStream)
        twin.__dict__.update(self.__dict__)
        twin.tape = self.tape.copy()
        twin.memory = self.memory.fork(twin.tape)
        twin.lookup = self.lookup.copy(twin.tape) if self.lookup is not None else None
        return twin

    def save(self, path: Path) -> None:
        """Write a snapshot: keys, values, tokens, and what they belong to (see `snapshot`)."""
        from chatdev.llm.local.snapshot import save

        save(self, path)

    def load(self, path: Path) -> bool:
        """Restore a snapshot of a stream opened in the same way; False, and nothing changed, when it does not fit."""
        from chatdev.llm.local.snapshot import load

        return load(self, path)

    def put(self, ids: list[int]) -> None:
        """Append tokens. A text longer than the window is run as it comes, so that the tape never forgets it first."""
        size = self.model.settings.window
        for at in range(0, len(ids), size):
            self.tape.extend(ids[at : at + size])
            if self.waiting > size:
                self.run_waiting()

    def run_waiting(self) -> Tensor:
        """Run everything on the tape; logits [1, vocabulary] behind the last token."""
        if self.memory.plan.seen == 0:
            self.memory = self.model.start(self)
        logits: Tensor | None = None
        while self.waiting:
            ids = self.tape.since(self.memory.plan.seen)[: self.memory.reach]
            logits = self.memory.feed(ids)
        if logits is None:
            # Everything was run before (a fork or a snapshot of a stream that was about to speak): run the last again.
            logits = self._again()
        return logits

    def recent(self) -> list[int]:
        """The newest tokens, for the repetition penalty."""
        return self.tape.ids[-self.sampler.reach :]

    def take_off(self, tokens: int) -> None:
        """Take the newest tokens off the stream."""
        self.tape.drop_last(tokens)
        self.memory.step_back(max(0, -self.waiting))
        if tokens and self.lookup is not None:
            self.lookup.forget()

    def ended(self, reply: Reply) -> None:
        """A turn is over."""
        self._reply = reply
        self.last = "said"

    def forget_reply(self) -> None:
        """A snapshot was restored: the last reply belongs to another life."""
        self._reply = None

    def _again(self) -> Tensor:
        last = self.tape.ids[-1]
        if not self.memory.can_step_back:
            raise LookupError("there is nothing new to answer")
        self.memory.step_back(1)
        return self.memory.feed([last])
