"""Weights, tokenizer and chat format of one local model; opens streams that share them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch

from chatdev.llm.base import HeadTooLong, Sampling, SayLimits
from chatdev.llm.local.cache import SinkCache
from chatdev.llm.local.memory import (
    Forward,
    Joint,
    Memory,
    ReprefillMemory,
    SinkMemory,
    network_forward,
    network_joint,
)
from chatdev.llm.local.rope import UnsupportedModelError
from chatdev.llm.local.sampling import Sampler
from chatdev.llm.local.stream import LocalStream
from chatdev.llm.local.template import ChatFormat, Speller

if TYPE_CHECKING:
    from chatdev.llm.local.fast.background import Background, Check, OnPrompt
    from chatdev.llm.local.fast.forward import FastForward
    from chatdev.llm.local.tape import Tape

KEPT_PREFIXES = 4
CHUNK = 64
"""Tokens of a head that are run and shared at once. How many rows a multiplication has can change the last bit of its
result; in whole chunks a shared beginning has the same bits as one that was run alone, whoever spoke first. The last
chunk of a head takes what is left as well, so that no piece is so short that it waits for the fast step."""


@dataclass(frozen=True)
class Settings:
    """How the streams of a local model are."""

    sinks: int | Literal["pinned"] = "pinned"
    """Tokens at the head that are never evicted: the whole head, or a number (4 is the paper's minimum)."""
    window: int = 4096
    """Tokens a stream holds in all, sinks included."""
    block: int | None = None
    """Tokens evicted at once; an eighth of the window unless given."""
    sampling: Sampling = field(default_factory=Sampling)
    """How tokens are chosen."""
    lookup: bool = True
    """Draft tokens from the stream's own text; the output is the same, sooner."""


class LocalModel:
    """A model in this process.

    Args:
        name: the full name as the user writes it.
        network: a Hugging Face causal language model, unmodified.
        tokenizer: its tokenizer.
        settings: how its streams are.
        revision: what identifies the weights, for snapshots.
        on_notice: told one line for a person, each at most once.
    """

    resends = False

    def __init__(
        self,
        name: str,
        network: Any,
        tokenizer: Any,
        settings: Settings | None = None,
        *,
        revision: str = "",
        on_notice: Callable[[str], None] | None = None,
    ) -> None:
        self.name, self.network, self.tokenizer = name, network, tokenizer
        self.settings = settings or Settings()
        self.forward: Forward = network_forward(network)
        """One forward of n tokens on a cache. A faster function may be put here; it takes effect at once."""
        self.joint: Joint = network_joint(network)
        """One forward of a token each of several streams; to be replaced like `forward`."""
        self._revision = revision
        self._background: Background | None = None
        self._notices: list[str] = []
        self.chat = ChatFormat.of(tokenizer)
        self.speller = Speller(tokenizer, self.chat)
        self.ends = _end_tokens(network, tokenizer)
        self._told: set[str] = set()
        self._on_notice = on_notice
        self._unsupported = ""
        self._prefixes: list[tuple[list[int], SinkMemory]] = []
        if self.chat.note:
            self.notice(f"{name}: {self.chat.note}")

    @property
    def revision(self) -> str:
        """What identifies the weights, the precision they are packed to included."""
        fast = self.settle()
        return self._revision if fast is None else f"{self._revision} {fast.precision}"

    def quicken(
        self,
        make: Callable[[Check, OnPrompt, Callable[[str], None]], FastForward | None],
        on_wait: Check = lambda done: None,
    ) -> None:
        """Let `make(check, on_prompt, on_notice)` prepare a fast forward in the background (see `fast.background`)."""
        from chatdev.llm.local.fast.background import Background

        notices = self._notices
        background = Background(self.network, lambda check, on_prompt: make(check, on_prompt, notices.append), on_wait)
        self._background, self.forward, self.joint = background, background, background.joint

    def settle(self) -> FastForward | None:
        """Wait until the fast forward is there; None where there is none."""
        if self._background is None:
            return None
        fast = self._background.wait()
        self._pass_on()
        return fast

    def _pass_on(self) -> None:
        """Tell what the background found out: whoever listens is in this thread, not in that one."""
        while self._notices:
            self.notice(self._notices.pop(0))

    def open(self, head: str, *, seed: int = 0) -> LocalStream:
        """Open a stream whose head is pinned.

        Raises:
            HeadTooLong: it leaves no window behind it.
        """
        ids = self.speller.head(head)
        most = self.settings.window - 2 * self.block
        if self.settings.sinks == "pinned" and len(ids) > most:
            raise HeadTooLong(
                f"the head of this agent takes {len(ids):,} tokens, and a window of {self.settings.window:,} has "
                f"room for {most:,}",
                where=self.name,
                fix="Shorten the role and the task, or set a larger window where the model has one",
            )
        how = self.settings.sampling
        return LocalStream(self, ids, Sampler(how, seed or how.seed, self.settings.window))

    def say_together(self, asked: list[tuple[LocalStream, SayLimits]]) -> Iterator[tuple[int, str]]:
        """Several streams reply at once, in one batch; yields (index, piece). See `batch`."""
        from chatdev.llm.local.batch import say_together

        return say_together(self, asked)

    @property
    def block(self) -> int:
        """Tokens evicted at once."""
        return self.settings.block or max(1, self.settings.window // 8)

    def new_memory(self, head: list[int], tape: Tape) -> Memory:
        """An empty window for a stream with this head."""
        sinks = len(head) if self.settings.sinks == "pinned" else min(self.settings.sinks, len(head))
        if not self._unsupported:
            try:
                cache = SinkCache(self.network, sinks, self.settings.window - sinks, self.block)
                return SinkMemory(self.run, cache)
            except UnsupportedModelError as error:
                self._unsupported = str(error)
                self.notice(
                    f"{self.name}: a sink cache is not possible ({error}); the window is prefilled again whenever "
                    "it is full"
                )
        window, device = self.settings.window, self.network.device
        return ReprefillMemory(self.run, self.network.config, tape, head[:sinks], window, device)

    def run(self, ids: torch.Tensor, cache: Any, rows: int) -> torch.Tensor:
        """`forward`, looked up at every call so that it can be replaced while streams are open."""
        logits = self.forward(ids, cache, rows)
        self._pass_on()
        return logits

    def start(self, stream: LocalStream) -> Memory:
        """The memory of a stream that has run nothing yet, with what its head shares with earlier ones."""
        memory, head = stream.memory, stream.head
        if not isinstance(memory, SinkMemory):
            return memory
        common, found = 0, None
        for ids, prefix in self._prefixes:
            count = _common(ids, head)
            if count > common:
                common, found = count, prefix
        sinks = memory.plan.sinks
        if found is not None and found.can_rewind:
            common = min(common - common % CHUNK, _last_cut(found.plan.seen), _last_cut(len(head)))
        if found is not None and common >= CHUNK and (found.can_rewind or common == found.plan.seen):
            memory = SinkMemory(self.run, found.cache.fork())
            memory.step_back(memory.plan.seen - common)
            memory.cache.pin(sinks)
        if common < len(head) and len(head) >= CHUNK:
            while memory.plan.seen < len(head):
                at = memory.plan.seen
                memory.feed(head[at : min(at + memory.reach, _next_cut(at, len(head)))])
            self._prefixes.insert(0, (head, memory.fork(stream.tape)))
            del self._prefixes[KEPT_PREFIXES:]
        return memory

    def describe(self) -> str:
        """One line for the person: name, size, dtype, device, window."""
        parameters = sum(p.numel() for p in self.network.parameters())
        size = f"{parameters / 1e9:.2g} B" if parameters >= 1e9 else f"{parameters / 1e6:.3g} M"
        dtype = str(self.network.dtype).removeprefix("torch.")
        return f"{self.name}: {size} parameters, {dtype} on {self.network.device}, window {self.settings.window:,}"

    def notice(self, text: str) -> None:
        """Tell the person, once."""
        if text not in self._told:
            self._told.add(text)
            if self._on_notice is not None:
                self._on_notice(text)

    def close(self) -> None:
        """Let the weights go."""
        if self._background is not None:
            self._background.stop()
        self._prefixes.clear()
        self.forward = _closed
        self.network = None


def _closed(ids: torch.Tensor, cache: Any, rows: int) -> torch.Tensor:
    raise RuntimeError("this model is closed")


def _last_cut(length: int) -> int:
    """Where the last piece of a head of this length begins."""
    return max(0, length // CHUNK - 1) * CHUNK


def _next_cut(at: int, length: int) -> int:
    return length if at >= _last_cut(length) else at - at % CHUNK + CHUNK


def _common(a: list[int], b: list[int]) -> int:
    count = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        count += 1
    return count


def _end_tokens(network: Any, tokenizer: Any) -> frozenset[int]:
    ids = getattr(network.generation_config, "eos_token_id", None)
    listed = ids if isinstance(ids, list) else [ids]
    return frozenset(i for i in [*listed, tokenizer.eos_token_id] if i is not None)
