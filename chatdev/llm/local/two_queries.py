"""The same attention by another route: instead of the sinks, the query is moved.

A recent key sees the query at its running position p; a sink sees it at min(p, sinks + window - 1), the last position
inside the cache. No key is ever rewritten and every query of a chunk gets its own sight (the sinks, and the keys at
distances 0 to window - 1), so the result does not depend on how a text is cut, and long texts are evaluated at the
speed of prefill. It is the paper's policy (a block of 1), and the second oracle of the walking sinks.

Non-goals: generation (a decode step of the sink cache costs less), batches of unequal rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.cache_utils import Cache, CacheLayerMixin, get_layer_types_and_kwargs

from chatdev.llm.local.rope import Rope, UnsupportedModelError

NAME = "two_queries"
_current: ContextVar[TwoQueries] = ContextVar("two_queries")


class _Band(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """Sinks and the last window - 1 keys of one layer."""

    is_sliding = False
    keys: Tensor
    values: Tensor

    def __init__(self, sinks: int, window: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sinks, self.window, self.pinned = sinks, window, 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        keys = torch.cat([self.keys, key_states], dim=2)
        values = torch.cat([self.values, value_states], dim=2)
        self.pinned = min(self.sinks, keys.shape[2])
        drop = max(0, keys.shape[2] - self.pinned - (self.window - 1))
        self.keys, self.values = self._without(keys, drop), self._without(values, drop)
        return keys, values

    def _without(self, x: Tensor, drop: int) -> Tensor:
        return torch.cat([x[:, :, : self.pinned], x[:, :, self.pinned + drop :]], dim=2) if drop else x

    def get_seq_length(self) -> int:
        return self.keys.shape[2] if self.is_initialized else 0

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0

    def get_max_length(self) -> int:
        return -1


class TwoQueries:
    """Runs a text through a model with `sinks` pinned and `window` recent tokens in sight.

    Args:
        network: a Hugging Face causal language model.
        limit: live positions are turned back before they pass it.

    Raises:
        UnsupportedModelError: its keys cannot be moved by rotation.
    """

    def __init__(self, network: Any, sinks: int, window: int, limit: int = 8192) -> None:
        self.network, self.sinks, self.window = network, sinks, window
        self.rope = Rope.of(network)
        self.limit = max(limit, 4 * (sinks + window))
        config = self.rope.decoder.config.get_text_config(decoder=True)  # type: ignore[union-attr, operator]
        types, options = get_layer_types_and_kwargs(config)
        if strange := set(types) - {"full_attention", "sliding_attention"}:
            raise UnsupportedModelError(f"layers of type {', '.join(sorted(strange))} are not evaluated")
        self.bands = [
            _Band(sinks, window) if kind == "full_attention" else _Band(0, option["sliding_window"])
            for kind, option in zip(types, options, strict=True)
        ]
        self.cache = Cache(layers=[*self.bands])
        self.seen = self.offset = self.now = 0
        AttentionInterface.register(NAME, _attend)

    @contextmanager
    def attention(self) -> Iterator[None]:
        """While it lasts, the model attends in this form."""
        before = self.network.config._attn_implementation
        self.network.set_attn_implementation(NAME)
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)
            self.network.set_attn_implementation(before)

    @torch.no_grad()
    def feed(self, ids: Tensor) -> Tensor:
        """Run [n] tokens, any n; logits [n, vocabulary]. Call it inside `attention()`."""
        n = ids.shape[0]
        if self.seen - self.offset + n > self.limit and self.seen - self.offset > self.sinks + self.window:
            self._rebase()
        self.now = self.seen - self.offset
        positions = torch.arange(self.now, self.now + n, device=ids.device)[None]
        out = self.network(input_ids=ids[None], position_ids=positions, past_key_values=self.cache, use_cache=True)
        self.seen += n
        return out.logits[0]  # type: ignore[no-any-return]

    def _rebase(self) -> None:
        back = self.seen - self.offset - (self.sinks + self.window)
        self.offset += back
        for i, band in enumerate(self.bands):
            if self.rope.kinds[i] == "rotated":
                recent = band.keys[:, :, band.pinned :]
                angles = self.rope.angles(-back, i, recent.device)
                moved = self.rope.move(recent, angles, i).to(recent.dtype)
                band.keys = torch.cat([band.keys[:, :, : band.pinned], moved], dim=2)


def _attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Scores of both queries side by side, one softmax; query [batch, heads, n, dim]."""
    state = _current.get()
    layer = int(module.layer_idx)
    band, rope = state.bands[layer], state.rope
    batch, heads, n, dim = query.shape
    kv_heads, pinned = key.shape[1], band.pinned
    position = torch.arange(state.now, state.now + n, device=query.device)
    far = (position - (band.sinks + band.window - 1)).clamp_min(0)
    to_sinks = query
    if pinned and rope.kinds[layer] == "rotated" and int(far.max()) > 0:
        to_sinks = rope.move(query, rope.angles(-far, layer, query.device), layer).to(query.dtype)
    scale = dim**-0.5 if scaling is None else scaling

    def scores(q: Tensor, k: Tensor) -> Tensor:
        rows = q.reshape(batch, kv_heads, -1, dim)
        return (rows @ k.transpose(2, 3) * scale).view(batch, heads, n, -1)

    both = torch.cat([scores(to_sinks, key[:, :, :pinned]), scores(query, key[:, :, pinned:])], dim=-1).float()
    if softcap is not None:
        both = torch.tanh(both / softcap) * softcap
    both = both.masked_fill(~_sight(state, band, position, key.shape[2]), float("-inf"))
    if s_aux is not None:
        both = torch.cat([both, s_aux.float().view(1, heads, 1, 1).expand(batch, heads, n, 1)], dim=-1)
    weights = both.softmax(-1)[..., : key.shape[2]].to(value.dtype)
    out = weights.reshape(batch, kv_heads, -1, key.shape[2]) @ value
    return out.view(batch, heads, n, -1).transpose(1, 2), None


def _sight(state: TwoQueries, band: _Band, position: Tensor, held: int) -> Tensor:
    """[n, held]: which of the held keys each query may see."""
    last = int(position[-1])
    recent = torch.arange(last - (held - band.pinned) + 1, last + 1, device=position.device)
    away = position[:, None] - recent[None]
    sinks = torch.arange(band.pinned, device=position.device)[None] <= (position + state.offset)[:, None]
    return torch.cat([sinks, (away >= 0) & (away < band.window)], dim=1)
