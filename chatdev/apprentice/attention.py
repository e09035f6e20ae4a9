"""The attention of a stream, for training: every token sees what the engine would hold for it, exactly.

A row is a whole stream. Its first `total` tokens see each other; after that the window evicts `block` tokens at a time,
so every further block of tokens sees the sinks, moved up to stand before the oldest token that is left, and the recent
ones behind them (`llm.local.window`). Keys keep what they learned from tokens that were evicted since, as in a real
cache. The result equals the engine's, token by token, for any model whose keys the engine can move.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from chatdev.llm.local.rope import Rope, UnsupportedModelError

NAME = "chatdev_streamed"


@dataclass
class Sight:
    """What the tokens of one batch see.

    Args:
        rope: moves keys of the model.
        total: tokens held at most, sinks included.
        block: tokens evicted at once.
        sinks: pinned tokens of every row, [rows]; on the CPU, where reading them keeps no GPU waiting.
    """

    rope: Rope
    total: int
    block: int
    sinks: Tensor
    _angles: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    _columns: Tensor | None = None

    def pinned(self, device: torch.device) -> Tensor:
        """The same as a column beside the keys, [rows, 1]."""
        if self._columns is None:
            self._columns = self.sinks[:, None].to(device, non_blocking=True)
        return self._columns

    def moved(self, keys: Tensor, distance: int, layer: int) -> Tensor:
        """Keys as they are `distance` further on."""
        if distance not in self._angles:
            self._angles[distance] = self.rope.angles(distance, layer, keys.device)
        return self.rope.move(keys, self._angles[distance], layer).to(keys.dtype)


_sight: ContextVar[Sight] = ContextVar("sight")


@contextmanager
def sight_of(sight: Sight) -> Iterator[None]:
    """Forwards inside see with `sight`; the model's attention must have been set by `use_streamed`."""
    token = _sight.set(sight)
    try:
        yield
    finally:
        _sight.reset(token)


def use_streamed(model: Any) -> Rope:
    """Let `model` attend as streams do; returns the operator that moves its keys.

    Raises:
        UnsupportedModelError: its keys cannot be moved, or it does not attend to everything in every layer.
    """
    rope = Rope.of(model)
    kinds = set(getattr(model.config.get_text_config(decoder=True), "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"}:
        raise UnsupportedModelError(f"its layers are of the kinds {', '.join(sorted(kinds))}")
    AttentionInterface.register(NAME, _attend)
    model.set_attn_implementation(NAME)
    return rope


def _attend(
    module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, scaling: float | None = None, **options: Any
) -> tuple[Tensor, None]:
    """[rows, heads, tokens, dim] in, [rows, tokens, heads, dim] out."""
    if options.get("softcap") is not None or options.get("s_aux") is not None:
        raise UnsupportedModelError("its attention has more to it than keys and values")
    sight, tokens = _sight.get(), query.shape[2]
    grouped = query.shape[1] != key.shape[1]
    first = min(tokens, sight.total)
    parts = [
        scaled_dot_product_attention(
            query[:, :, :first], key[:, :, :first], value[:, :, :first], is_causal=True, scale=scaling,
            enable_gqa=grouped,
        )
    ]  # fmt: skip
    for stage, at in enumerate(range(sight.total, tokens, sight.block), 1):
        n = min(sight.block, tokens - at)
        keys, values, seen = _held(sight, key, value, stage * sight.block, n, module.layer_idx)
        parts.append(
            scaled_dot_product_attention(
                query[:, :, at : at + n], keys, values, attn_mask=seen, scale=scaling, enable_gqa=grouped
            )
        )
    out = parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)
    return out.transpose(1, 2).contiguous(), None


def _held(sight: Sight, key: Tensor, value: Tensor, gone: int, n: int, layer: int) -> tuple[Tensor, Tensor, Tensor]:
    """Keys and values in sight of the n tokens that follow when `gone` tokens are evicted, and the mask [n, held]."""
    old = sight.total - sight.block
    column = torch.arange(old + n, device=key.device)
    is_sink = column < sight.pinned(key.device)
    place = torch.where(is_sink, column, column + gone)
    index = place[:, None, :, None].expand(-1, key.shape[1], -1, key.shape[3])
    most = int(sight.sinks.max())
    keys = key.gather(2, index)
    moved = sight.moved(keys[:, :, :most], gone, layer)
    keys = torch.cat([torch.where(is_sink[:, None, :most, None], moved, keys[:, :, :most]), keys[:, :, most:]], dim=2)
    seen = column <= torch.arange(n, device=key.device)[:, None] + old
    return keys, value.gather(2, index), seen
