"""Attention of one query token on the CPU, with grouped heads packed.

With fewer key heads than query heads, the library's `sdpa` asks torch for grouped attention, which on a CPU takes a
slow path (three to five times slower in bf16). Query heads that share a key head are rows of one matrix instead.
Everything else is left to the library's function.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "packed_sdpa"


def packed_sdpa(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention [batch, n, heads, dim] of query [batch, heads, n, dim] over key and value [batch, kv heads, …, dim]."""
    groups = query.shape[1] // key.shape[1]
    shared = attention_mask is None or attention_mask.shape[1] == 1
    if query.shape[2] != 1 or groups == 1 or not shared or kwargs.get("position_bias") is not None:
        out, _ = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
        return out, None
    batch, heads, _, dim = query.shape
    rows = query.reshape(batch, heads // groups, groups, dim)
    attended = torch.nn.functional.scaled_dot_product_attention(
        rows, key, value, attn_mask=attention_mask, scale=scaling
    )
    return attended.reshape(batch, 1, heads, attended.shape[-1]), None


def use_packed_sdpa(network: Any) -> None:
    """Let a model on the CPU that uses `sdpa` use the packed form of it."""
    if network.device.type == "cpu" and network.config._attn_implementation == "sdpa":
        AttentionInterface.register(NAME, packed_sdpa)
        AttentionMaskInterface.register(NAME, sdpa_mask)
        network.set_attn_implementation(NAME)
