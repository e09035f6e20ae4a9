"""The running mean of a network's weights: what a training leaves behind at whatever moment it stops.

The weights themselves jump about as long as the learning rate is high; the mean is as good as if it had just been
lowered, so a training that is not finished leaves a model worth trying.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

KEPT = 0.99
"""Of the mean, what stays at a step; less in the first steps."""


class Mean:
    """The mean of the weights over about the last hundred steps."""

    def __init__(self, network: Any) -> None:
        self.weights: dict[str, Tensor] = {name: one.detach().clone() for name, one in network.named_parameters()}

    @torch.no_grad()
    def add(self, network: Any, step: int) -> None:
        """Take in the weights of a step, the first of which is 1."""
        new = 1 - min(KEPT, step / (step + 9))
        now = dict(network.named_parameters())
        torch._foreach_lerp_(list(self.weights.values()), [now[name].detach() for name in self.weights], new)

    def restore(self, weights: dict[str, Tensor]) -> None:
        """Go on from saved ones."""
        for name, weight in weights.items():
            self.weights[name].copy_(weight)

    @contextmanager
    def of(self, network: Any) -> Iterator[None]:
        """Inside, the network has the mean weights."""
        self._swap(network)
        try:
            yield
        finally:
            self._swap(network)

    @torch.no_grad()
    def _swap(self, network: Any) -> None:
        for name, weight in network.named_parameters():
            weight.data, self.weights[name] = self.weights[name], weight.data
