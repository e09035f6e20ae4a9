"""The original algorithm of StreamingLLM (arXiv 2309.17453, section 3.2), slow and literal, as the oracle.

Keys are cached before rotation; at every step the whole cache is rotated to its positions inside the cache,
and the query to the last of them. Written for any rotary model of the library: the model runs at position 0,
where its own rotation is the identity, and a registered attention function does the real rotation before the
model's own eager attention. One token at a time.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.cache_utils import Cache, CacheLayerMixin

from chatdev.llm.local.rope import Rope


class RawLayer(CacheLayerMixin):
    """Un-rotated keys of one layer: the first `sinks`, and recent ones evicted by `block` when `window` is
    full.
    """

    is_sliding = False

    def __init__(self, sinks: int, window: int, block: int) -> None:
        super().__init__()
        self.sinks, self.window, self.block, self.count = sinks, window, block, 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        if self.keys.shape[2] >= self.sinks + self.window:
            self.keys, self.values = self._drop(self.keys), self._drop(self.values)
        self.keys = torch.cat([self.keys, key_states], dim=2)
        self.values = torch.cat([self.values, value_states], dim=2)
        self.count += 1
        return self.keys, self.values

    def _drop(self, x: Tensor) -> Tensor:
        return torch.cat([x[:, :, : self.sinks], x[:, :, self.sinks + self.block :]], dim=2)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0

    def get_seq_length(self) -> int:
        return self.count

    def get_max_length(self) -> int:
        return -1


class OriginalStream:
    """Feeds tokens one by one; `rope` says which layers rotate (it is proved against the dense model in the
    tests).
    """

    def __init__(self, model: Any, sinks: int, window: int, block: int = 1) -> None:
        self.model = model
        config = model.config.get_text_config(decoder=True)
        rope = Rope.of(model)
        types = [t or "full_attention" for t in rope.layer_types]
        self.cache = Cache(
            layers=[
                RawLayer(sinks, window, block) if kind == "full_attention" else RawLayer(0, config.sliding_window, 1)
                for kind in types
            ]
        )
        eager = sys.modules[type(rope.decoder).__module__].eager_attention_forward

        def rotate_then_attend(module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, **kw: Any) -> Any:
            layer = module.layer_idx
            if rope.kinds[layer] == "rotated":
                last = key.shape[2] - 1
                query = _rotated(rope, query, [last], layer)
                key = _rotated(rope, key, list(range(last + 1)), layer)
            return eager(module, query, key, value, None, **kw)

        AttentionInterface.register("original_streaming", rotate_then_attend)
        self._implementation = model.config._attn_implementation

    @torch.no_grad()
    def feed(self, ids: Tensor) -> Tensor:
        """Logits after each of the tokens [n], shape [n, vocabulary]."""
        self.model.set_attn_implementation("original_streaming")
        zero = torch.zeros(1, 1, dtype=torch.long)
        try:
            rows = [
                self.model(
                    input_ids=ids[None, i : i + 1],
                    position_ids=zero,
                    past_key_values=self.cache,
                    use_cache=True,
                ).logits[0, -1]
                for i in range(len(ids))
            ]
        finally:
            self.model.set_attn_implementation(self._implementation)
        return torch.stack(rows)


def _rotated(rope: Rope, x: Tensor, positions: list[int], layer: int) -> Tensor:
    """Rotation in the dtype of `x`, as the original does it. The attention factor is in `x` already
    (position 0).
    """
    rotary = rope.decoder.rotary_emb
    extra = (rope.layer_types[layer],) if rope.per_layer_type else ()
    cos, sin = rotary(x.new_zeros(1), torch.tensor([[0, *positions]]), *extra)
    scale = cos[:, :1, :1]
    cos, sin = (cos / scale)[:, 1:], (sin / scale)[:, 1:]
    width = rope.widths[layer]
    turned = rope.apply(x[..., :width], cos, sin)
    return torch.cat([turned, x[..., width:]], dim=-1)
