"""A model whose replies somebody writes: a person in a role's chair, or whoever answers a folder of prompts.

It costs no money, its tokens are estimates, and it may take hours. Waiting for it burns no processor, and the time is
told apart (`waited`) from the time that a run works.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from chatdev.llm.base import Mark, Reply, SayLimits, Usage, WindowState
from chatdev.llm.messages import Message, read_messages, write_messages
from chatdev.llm.reply_text import ReplyText
from chatdev.llm.tokens import clean, estimate_tokens

MOST_CHARS = 4_000_000
"""No reply is read beyond that."""


@dataclass(frozen=True)
class Page:
    """What is laid before the writer."""

    key: str
    """Names this reply within the run, such as `coding/programmer/said1`."""
    phase: str
    head: str
    messages: list[Message]
    """The whole conversation behind the head; the last one is the newest."""
    since: int
    """The first message that the writer has not answered yet."""

    @property
    def new(self) -> str:
        """What was said since the last reply; at the beginning with the head."""
        texts = [message.text for message in self.messages[self.since :]]
        return "\n\n".join([self.head, *texts] if self.since == 0 else texts)

    @property
    def whole(self) -> str:
        """Head and conversation; only what was asked where nothing was answered yet."""
        if all(message.role == "user" for message in self.messages):
            return self.new.strip() + "\n"
        parts = [("system", self.head), *((message.role, message.text) for message in self.messages)]
        return "\n\n".join(f"# {role}\n\n{text.strip()}" for role, text in parts) + "\n"


@dataclass
class ByHandModel:
    """A model behind which somebody sits."""

    name: str
    resends: bool
    """True when the writer is given the whole conversation every time."""
    write: Callable[[Page], str]
    """Waits for the reply."""
    about: str
    counted: bool = False
    """The time of waiting is reported with the reply; otherwise whoever asks reports it."""
    ready: Callable[[], None] = lambda: None
    """Raises UserError when nobody could write a reply."""

    def open(self, head: str, *, seed: int = 0) -> ByHandStream:
        """Open a stream; chance has no part in it."""
        return ByHandStream(self, clean(head))

    def preflight(self) -> None:
        """Check that replies can be written."""
        self.ready()

    def describe(self) -> str:
        """One line for the person."""
        return f"{self.name}: {self.about}"

    def close(self) -> None:
        """Nothing is held open."""


@dataclass
class ByHandStream:
    """One conversation; all of it stays in the window. Marks count messages."""

    model: ByHandModel
    head: str
    messages: list[Message] = field(default_factory=list)
    waited: float = 0.0
    """Seconds that the last reply was waited for, where the model counts them."""
    _answered: int = 0
    _reply: Reply | None = None
    _next: tuple[str, str] = ("", "")

    @property
    def reply(self) -> Reply:
        """The last reply; LookupError before the first one."""
        if self._reply is None:
            raise LookupError("this stream has not said anything yet")
        return self._reply

    @property
    def window(self) -> WindowState:
        """Everything is held."""
        tokens = estimate_tokens(self.head) + sum(estimate_tokens(message.text) for message in self.messages)
        return WindowState(held=tokens, total=tokens)

    def name_next(self, key: str, phase: str) -> None:
        """Name the next reply."""
        self._next = (key, phase)

    def hear(self, text: str) -> Mark:
        """Append what was said to the writer."""
        return self._append(Message("user", clean(text)))

    def recall(self, text: str) -> Mark:
        """Append a reply of an earlier life."""
        mark = self._append(Message("assistant", clean(text)))
        self._answered = len(self.messages)
        return mark

    def say(self, limits: SayLimits) -> Iterator[str]:
        """Wait for the reply and yield it. A person's words are not cut at the limit of a model's."""
        begun = time.monotonic()
        text = ReplyText(limits.stop, MOST_CHARS)
        try:
            written = self.model.write(Page(*self._next, self.head, list(self.messages), self._answered))
        finally:
            seconds = time.monotonic() - begun
            self.waited = seconds if self.model.counted else 0.0
        for piece in (text.feed(written), text.finish()):
            if piece:
                yield piece
        asked = self.head if self._answered == 0 or self.model.resends else ""
        heard = self.messages if self.model.resends else self.messages[self._answered :]
        prompt = estimate_tokens(asked) + sum(estimate_tokens(message.text) for message in heard)
        usage = Usage(prompt, estimate_tokens(text.text), 0, estimated=True, money=0.0, seconds=seconds)
        self._reply = Reply(text.text, text.ended or "stop", usage, self.recall(text.text))

    def holds(self, mark: Mark) -> bool:
        """True for every span of this stream."""
        return 0 <= mark.start <= mark.end <= len(self.messages)

    def fork(self) -> ByHandStream:
        """A copy that has heard and said the same."""
        return ByHandStream(
            self.model, self.head, list(self.messages), self.waited, self._answered, self._reply, self._next
        )

    def save(self, path: Path) -> None:
        """Write the conversation."""
        write_messages(path, self.head, self.messages, self._answered)

    def load(self, path: Path) -> bool:
        """Restore a conversation with the same head."""
        found = read_messages(path, self.head)
        if found is None:
            return False
        self.messages, self._answered = found
        self._reply = None
        return True

    def _append(self, message: Message) -> Mark:
        self.messages.append(message)
        return Mark(len(self.messages) - 1, len(self.messages))
