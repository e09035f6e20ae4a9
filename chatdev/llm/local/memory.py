"""What a model still sees of a stream: a sink cache, or a window that is prefilled again when it is full.

Both take at most `room` tokens at a time and hold the same tokens by the same rule (`window.Window`). The forward
itself is a function, so that a faster one (packed weights, a compiled step) can take its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from chatdev.llm.local.cache import SinkCache
from chatdev.llm.local.stages import added
from chatdev.llm.local.tape import Tape
from chatdev.llm.local.window import Window

if TYPE_CHECKING:
    from chatdev.llm.local.batch import Rectangle

Forward = Callable[[Tensor, Any, int], Tensor]
"""`forward(ids [batch, n], cache, rows)` runs n tokens on a cache and returns logits [batch, rows, vocabulary] of
the last `rows` of them. With a `SinkCache` it goes through the model's decoder (whose hooks call `begin` and
`commit`) or calls `cache.begin(n)` and `cache.commit(n)` itself."""

Joint = Callable[[Tensor, "Rectangle"], Tensor]
"""`joint(ids [rows, 1], rectangle)` runs one token of several streams on their shared buffers and returns logits
[rows, vocabulary]; the rectangle has announced the tokens and commits them."""


def network_forward(network: Any) -> Forward:
    """The plain forward of a Hugging Face causal language model; the oracle of every faster one."""

    def forward(ids: Tensor, cache: Any, rows: int) -> Tensor:
        out = network(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=rows)
        return out.logits[:, -rows:]  # type: ignore[no-any-return]

    return forward


def network_joint(network: Any) -> Joint:
    """The plain forward for a rectangle."""

    @torch.no_grad()
    def joint(ids: Tensor, rectangle: Rectangle) -> Tensor:
        mask = rectangle.mask()
        if mask is not None and network.config._attn_implementation == "eager":
            mask = added(mask, network.dtype)
        out = network(
            input_ids=ids,
            position_ids=torch.tensor(rectangle.positions(), device=ids.device)[:, None],
            attention_mask=mask,
            past_key_values=rectangle.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return out.logits[:, -1]  # type: ignore[no-any-return]

    return joint


class Memory(Protocol):
    """The tokens of one stream that a model sees."""

    plan: Window
    can_step_back: bool
    """Whether tokens of the last `feed` can be taken out again."""
    can_rewind: bool
    """Whether older ones can as well: sliding and recurrent layers do not remember what they were."""

    @property
    def reach(self) -> int:
        """Most tokens of one `feed`."""

    def feed(self, ids: list[int], rows: int = 1) -> Tensor:
        """Run at most `reach` tokens; logits [rows, vocabulary] of the last `rows`."""

    def step_back(self, tokens: int) -> None:
        """Take the newest tokens out again."""

    def fork(self, tape: Tape) -> Memory:
        """An independent copy for a stream whose tokens are on `tape`."""

    def bytes(self) -> int: ...


class SinkMemory:
    """A sink cache and the forward that fills it."""

    def __init__(self, forward: Forward, cache: SinkCache) -> None:
        self.forward, self.cache, self.plan = forward, cache, cache.plan
        self.can_step_back = cache.is_croppable
        self.can_rewind = len(cache.sink_layers) == len(cache.layers)
        if self.can_step_back and not self.can_rewind:
            cache.activate_past_recording()

    @property
    def reach(self) -> int:
        return self.cache.reach

    @torch.no_grad()
    def feed(self, ids: list[int], rows: int = 1) -> Tensor:
        return self.forward(torch.tensor([ids], device=self.cache.device), self.cache, rows)[0]

    def step_back(self, tokens: int) -> None:
        if tokens:
            self.cache.crop(-tokens)

    def fork(self, tape: Tape) -> SinkMemory:
        return SinkMemory(self.forward, self.cache.fork())

    def bytes(self) -> int:
        return self.cache.bytes()


class ReprefillMemory:
    """For models whose keys cannot be moved: when the window is full, half of it is dropped and the rest is run again.

    The text is the same as with a sink cache, the positions are contiguous, and the cost of a token is bounded, but
    every half window costs the prefill of the other half.

    Args:
        tape: the stream's tokens; those held are read from it when they have to be run again.
        head: ids of the pinned prefix.
    """

    can_step_back = False
    can_rewind = False

    def __init__(self, forward: Forward, config: Any, tape: Tape, head: list[int], total: int, device: Any) -> None:
        window = total - len(head)
        block = max(1, window // 2)
        self.forward, self.config, self.tape, self.head, self.device = forward, config, tape, head, device
        self.plan = Window(len(head), window, block, total + block)
        self.cache = DynamicCache(config=config)

    @property
    def reach(self) -> int:
        return self.plan.room

    @torch.no_grad()
    def feed(self, ids: list[int], rows: int = 1) -> Tensor:
        if self.plan.begin(len(ids)).evict:
            self.cache = DynamicCache(config=self.config)
            recent = self.tape.since(self.plan.sinks + self.plan.evicted)
            kept = self.head + recent[: self.plan.held - self.plan.sinks]
            self._run(kept, 1)
        logits = self._run(ids, rows)
        self.plan.commit(len(ids))
        return logits

    def step_back(self, tokens: int) -> None:
        if tokens:
            raise ValueError("this model cannot step back")

    def fork(self, tape: Tape) -> ReprefillMemory:
        import copy

        twin = copy.copy(self)
        twin.tape, twin.plan, twin.cache = tape, copy.copy(self.plan), copy.deepcopy(self.cache)
        return twin

    def bytes(self) -> int:
        tensors = (t for layer in self.cache.layers for t in vars(layer).values() if isinstance(t, Tensor))
        return sum(t.nbytes for t in tensors)

    def _run(self, ids: list[int], rows: int) -> Tensor:
        return self.forward(torch.tensor([ids], device=self.device), self.cache, rows)[0]
