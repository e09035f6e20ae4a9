"""The contract between the company and any model: a `Model` opens `Stream`s.

A stream is one agent's endless conversation. It never raises because the dialogue is long: a local stream
evicts, an API stream sends the pinned head and as much of the newest tail as fits. This room knows text,
tokens and money; it knows nothing of companies, phases or files.

    stream = model.open("You are a reviewer …", seed=7)
    mark = stream.hear("Please review main.py …")
    for piece in stream.say(SayLimits(tokens=800)):
        print(piece, end="")
    stream.reply.text, stream.reply.usage, stream.holds(mark)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from chatdev.errors import UserError

Finish = Literal["stop", "length", "cut"]
"""Why a reply ended: the model was done, the reply limit was reached, or the connection broke for good."""


@dataclass(frozen=True)
class Mark:
    """A span of a stream, [start, end), in the stream's own unit (tokens or messages) since its beginning."""

    start: int
    end: int


@dataclass(frozen=True)
class SayLimits:
    """What bounds one reply."""

    tokens: int = 4096
    """Most tokens to generate; reaching it ends the reply with finish `length`."""
    stop: tuple[str, ...] = ()
    """Strings that end the reply; they are not part of it."""


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. Temperature 0 is greedy."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Usage:
    """What one reply cost. `money` is in US dollars, None when the price is unknown (never 0 for unknown)."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    estimated: bool = False
    """True when the endpoint reported no usage and the counts were estimated from the text."""
    money: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Reply:
    """The last thing a stream said, and where it stands in the stream."""

    text: str
    finish: Finish
    usage: Usage
    mark: Mark


@dataclass(frozen=True)
class WindowState:
    """What the terminal shows of a stream: `stream 4,096 of 182,440 tokens · 231 MB · 38 tok/s`."""

    held: int
    """Tokens the model can still see."""
    total: int
    """Tokens that went through the stream since its beginning."""
    bytes: int = 0
    """Memory of the KV cache; 0 where there is none on this machine."""
    tokens_per_second: float = 0.0
    notes: dict[str, str] = field(default_factory=dict)
    """Anything more worth showing, such as the acceptance rate of lookup decoding."""
    window: int = 0
    """Tokens the model can see at most; 0 where that is not decided here."""


class Stream(Protocol):
    """One agent, one endless conversation. The pinned head was given when it was opened.

    A stream whose replies are paid for may offer more: `unsaid: Usage | None`, what the last `say` cost
    when it ended by an exception or was closed early, so that no reply came of it. One whose replies somebody writes
    may offer `name_next(key, phase)`, called before `say`, and `waited: float`, seconds of waiting for the last reply
    that are nobody's work. Read them with `getattr`.

    A stream that computes what it remembers offers `savable: bool`: whether a snapshot of it can be restored. Others
    have no such attribute; being told everything again costs them nothing.
    """

    @property
    def reply(self) -> Reply:
        """The last reply; valid when the iterator of `say` is exhausted."""

    @property
    def window(self) -> WindowState: ...

    def hear(self, text: str) -> Mark:
        """Append what was said to the agent."""

    def say(self, limits: SayLimits) -> Iterator[str]:
        """Yield the reply as it is made. The reply is part of the stream once the iterator is exhausted."""

    def recall(self, text: str) -> Mark:
        """Append a reply said in an earlier life of this stream (resume); nothing is generated or paid."""

    def holds(self, mark: Mark) -> bool:
        """True when the whole span may be counted on in the next exchange: it is inside the window, with room set aside
        for what comes next."""

    def fork(self) -> Stream:
        """An independent copy that has heard and said the same."""

    def save(self, path: Path) -> None:
        """Write a snapshot. The journal stays the truth; a snapshot only saves work."""

    def load(self, path: Path) -> bool:
        """Restore a snapshot of a stream opened in the same way; when it does not fit: False, no change."""


class HeadTooLong(UserError):
    """The head of a stream leaves no room behind it in the model's window."""


class Model(Protocol):
    """A source of streams: an endpoint, local weights, or a script."""

    name: str
    """The full name as the user writes it, such as `openai:gpt-4o-mini` or `scripted:snake`."""
    resends: bool
    """True when every reply pays for the whole conversation (an endpoint); False when memory is kept."""

    def open(self, head: str, *, seed: int = 0) -> Stream:
        """Open a stream with a pinned head (system prompt, role, task) that is never evicted. Raises HeadTooLong."""

    def describe(self) -> str:
        """One line for the person: what this model is."""

    def close(self) -> None: ...


class ImagesUnavailable(Exception):
    """The endpoint cannot draw pictures; the text says why. Whoever asked goes on without."""


@runtime_checkable
class ImageModel(Protocol):
    """A model that can also draw."""

    name: str

    def image(self, prompt: str, size: str) -> bytes:
        """A PNG picture of `size`, such as `256x256`. Raises ImagesUnavailable."""
