"""Optimizers: AdamW for everything, or Muon for the matrices inside and AdamW for the rest."""

from __future__ import annotations

from typing import Any

import torch

from chatdev.apprentice.muon import Muon
from chatdev.errors import UserError
from chatdev.llm.local.load import multiplies_bf16

MUON_RATE = 10.0
"""Muon's learning rate is this many times AdamW's."""
EMBEDDING_RATE = 0.15
"""Beside Muon, the embeddings' rate is this part of AdamW's: fast ones grow alike, and nothing is found by them."""


def optimizers_of(network: Any, kind: str, lr: float, decay: float) -> list[torch.optim.Optimizer]:
    """One or two optimizers; every group remembers its largest rate as `peak`.

    Raises:
        UserError: there is no such optimizer.
    """
    named = [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]
    inner = [weight for name, weight in named if weight.ndim == 2 and "embed" not in name and "lm_head" not in name]
    ids = {id(weight) for weight in inner}
    words = [weight for name, weight in named if "embed" in name]
    rest = [weight for name, weight in named if id(weight) not in ids and "embed" not in name]
    fused = next(iter(network.parameters())).is_cuda
    groups: list[dict[str, Any]] = [{"params": rest, "weight_decay": 0.0, "peak": lr}]
    slow = lr * EMBEDDING_RATE if kind == "muon" else lr
    groups += [{"params": words, "weight_decay": 0.0, "peak": slow}] if words else []
    if kind == "adamw":
        groups.append({"params": inner, "weight_decay": decay, "peak": lr})
        return [torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98), fused=fused)]
    if kind == "muon":
        adam = torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98), fused=fused)
        matrices = [{"params": inner, "weight_decay": decay, "peak": lr * MUON_RATE}]
        dtype = torch.bfloat16 if fused or multiplies_bf16() else torch.float32
        return [adam, Muon(matrices, lr * MUON_RATE, 0.95, dtype)]
    raise UserError(f'unknown optimizer "{kind}"', fix="Known are adamw and muon")
