"""One attention layer's part of a sink cache: two buffers, and the moves that `window.Window` asks for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import CacheLayerMixin

from chatdev.llm.local.rope import Rope
from chatdev.llm.local.window import Moves, Window

Angles = tuple[Tensor, Tensor]


class SinkLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """Keys and values of one full-attention layer, [batch, kv heads, capacity, head dim].

    `update` only appends; what is dropped or moved was decided for all layers at once by `SinkCache.begin`.
    """

    is_sliding = False
    is_croppable = True
    is_compileable = False
    keys: Tensor
    values: Tensor

    def __init__(self, window: Window, rope: Rope, index: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.window, self.rope, self.index = window, rope, index
        self.rotates = rope.kinds[index] == "rotated"
        self.pristine: Tensor | None = None
        """fp32 copy of the sinks' keys as they were born, so that walking never accumulates rounding."""
        self.stages: list[Angles | None] = []
        """How far the sinks walk in each further stage of the chunk that is under way (see `stages`)."""

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        self.keys = _room(key_states, self.window.capacity)
        self.values = _room(value_states, self.window.capacity)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append [batch, heads, n, dim]; return everything held, a view of the buffers."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        window = self.window
        at = window.start + window.held
        end = at + key_states.shape[-2]
        if end > self.keys.shape[-2]:
            raise RuntimeError(
                "the sink cache was not told of these tokens: call the model itself, not its forward, "
                "or call cache.begin(n) before it and cache.commit(n) after it"
            )
        if key_states.requires_grad or value_states.requires_grad:
            key_states, value_states = key_states.detach(), value_states.detach()
        self.keys[:, :, at:end] = key_states
        self.values[:, :, at:end] = value_states
        keys, values = self.keys[:, :, window.start : end], self.values[:, :, window.start : end]
        if not self.stages:
            return keys, values
        # The sinks once more for every stage, where they stand then.
        walked = [self._walked(angles, window.start) for angles in self.stages]
        again = [values[:, :, : window.sinks]] * len(walked)
        return torch.cat([keys, *walked], dim=2), torch.cat([values, *again], dim=2)

    def _walked(self, walk: Angles | None, start: int) -> Tensor:
        """The sinks' keys, in the columns from `start`, turned by `walk`; always from how they were born."""
        if self.pristine is None:
            self.pristine = self.keys[:, :, start : start + self.window.sinks].to(torch.float32, copy=True)
        turned = self.pristine if walk is None else self.rope.move(self.pristine, walk, self.index)
        return turned.to(self.dtype)

    @torch.no_grad()
    def apply(self, moves: Moves, before: tuple[int, int], walk: Angles | None, back: Angles | None) -> None:
        """Carry out `moves`. `before` is (start, held) as they were; angles for the sinks and for a
        rebase.
        """
        if not self.is_initialized:
            return
        start, held = before
        sinks, first = self.window.sinks, start + moves.evict
        if moves.evict and sinks:
            keys = self._walked(walk, start)
            self.values[:, :, first : first + sinks] = self.values[:, :, start : start + sinks].clone()
            self.keys[:, :, first : first + sinks] = keys
        if moves.shift and back is not None:
            recent = self.keys[:, :, first + sinks : start + held]
            recent.copy_(self.rope.move(recent, back, self.index))
        if moves.compact:
            self.keys = _to_front(self.keys, first, held - moves.evict, moves.resize)
            self.values = _to_front(self.values, first, held - moves.evict, moves.resize)

    def view(self) -> tuple[Tensor, Tensor]:
        """What is held, [batch, heads, held, dim] twice."""
        window = self.window
        held = slice(window.start, window.start + window.held)
        return self.keys[:, :, held], self.values[:, :, held]

    def copy_for(self, window: Window) -> SinkLayer:
        """An independent layer with the same contents, driven by `window` (a copy of this one's)."""
        twin = SinkLayer(window, self.rope, self.index)
        if self.is_initialized:
            twin.dtype, twin.device, twin.is_initialized = self.dtype, self.device, True
            held = slice(window.start, window.start + window.held)
            # Columns that hold nothing are not worth copying.
            with torch.inference_mode(False):
                twin.keys, twin.values = torch.empty_like(self.keys), torch.empty_like(self.values)
            twin.keys[:, :, held] = self.keys[:, :, held]
            twin.values[:, :, held] = self.values[:, :, held]
            # Never written in place: both may keep it.
            twin.pristine = self.pristine
        return twin

    def bytes(self) -> int:
        tensors = [self.keys, self.values, self.pristine]
        return sum(t.numel() * t.element_size() for t in tensors if t is not None)

    def get_seq_length(self) -> int:
        return self.window.seen

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        # The held tokens count as the newest ones of the stream: the causal rule then lets every query see
        # all of them.
        return self.window.held + query_length, self.window.evicted

    def get_max_length(self) -> int:
        return -1

    def crop(self, tokens_to_remove: int) -> None:
        """Nothing to do: the window's count says which columns are valid."""

    def reset(self) -> None:
        self.keys = self.values = self.pristine = None  # type: ignore[assignment]
        self.is_initialized = False

    def reorder_cache(self, beam_idx: Tensor) -> None:
        self.batch_select_indices(beam_idx)

    def batch_repeat_interleave(self, repeats: int) -> None:
        if self.is_initialized:
            self._each(lambda t: t.repeat_interleave(repeats, dim=0))

    def batch_select_indices(self, indices: Tensor) -> None:
        if self.is_initialized:
            self._each(lambda t: t[indices.to(t.device)])

    def _each(self, change: Any) -> None:
        self.keys, self.values = change(self.keys), change(self.values)
        if self.pristine is not None:
            self.pristine = change(self.pristine)


def _room(like: Tensor, columns: int) -> Tensor:
    """An empty buffer. It can be written to outside of the inference mode that the first tokens may have come in."""
    with torch.inference_mode(False):
        return like.new_zeros((*like.shape[:2], columns, like.shape[-1]))


def _to_front(buffer: Tensor, first: int, held: int, resize: int) -> Tensor:
    kept = buffer[:, :, first : first + held]
    if resize:
        fresh = _room(buffer, resize)
        fresh[:, :, :held] = kept
        return fresh
    buffer[:, :, :held] = kept.clone() if first < held else kept
    return buffer
