"""Sliding window with re-computation: for every token, the last tokens are run afresh through the dense
model.

The paper's quality oracle and speed baseline (arXiv 2309.17453, figure 1c).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class RecomputeStream:
    """Keeps the last `window` tokens and nothing else; `sinks` first tokens are put before them when asked
    for.
    """

    def __init__(self, model: Any, window: int, sinks: int = 0) -> None:
        self.model, self.window, self.sinks = model, window, sinks
        self.ids: list[int] = []

    @torch.no_grad()
    def step(self, token: int) -> Tensor:
        """Logits after one more token, [vocabulary]."""
        self.ids.append(token)
        kept = self.ids
        if len(kept) > self.window + self.sinks:
            kept = kept[: self.sinks] + kept[-self.window :]
        return self.model(input_ids=torch.tensor([kept]), use_cache=False, logits_to_keep=1).logits[0, -1]
