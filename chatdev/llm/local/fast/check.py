"""The proof that a step function computes what the unmodified model computes.

It is made when weights are loaded for the first time, and again whenever anything it depends on has changed (`proofs`).

1. The anatomy with the model's own weights against the model: random tokens through a small sink cache that evicts on
   the way, one at a time and several together (`REPLY`), and prompts that run over evictions (`PROMPT`). Must agree to
   the rounding of the dtype: a left-out bias, a wrong eps or a wrong rotation do not.
2. Every packed matrix against the weight it stands for, on a random vector (`prove_product`): what a precision loses in
   one product does not depend on the model, so the bounds are narrow.
3. The packed step against the model, as the first. Its bounds are wide (quantisation is amplified from layer to layer,
   most of all in random weights), and the measured difference is told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from chatdev.llm.local.cache import SinkCache
from chatdev.llm.local.fast.packing import Precision


@dataclass(frozen=True)
class Trial:
    """Random tokens through a small sink cache."""

    pieces: tuple[int, ...]
    """Tokens fed at once; the first piece goes through the model itself."""
    sinks: int
    window: int
    block: int
    staged: bool
    """Whether a piece may run over evictions."""


REPLY = Trial((7, 1, 1, 5, 1, 1, 3, 1), 2, 14, 2, staged=False)
PROMPT = Trial((20, 40, 33, 40), 3, 45, 9, staged=True)
"""Pieces long enough for the products of many rows, over several evictions each."""
ROUNDING = {torch.float32: 2e-4, torch.bfloat16: 0.04, torch.float16: 0.01}
"""Most relative difference of the anatomy with the model's own weights."""
PRODUCT: dict[Precision, float] = {"fp32": 5e-3, "bf16": 1e-2, "int8": 6e-2, "int4": 0.25}
"""Most relative difference of one packed product."""
LOSS: dict[Precision, float] = {"fp32": 0.04, "bf16": 0.08, "int8": 0.3, "int4": 0.9}
"""Most relative difference of a packed step."""

Step = Callable[[Tensor, Any, int], Tensor]


class WrongProductError(RuntimeError):
    """A packed product is not that of its weight: the kernels are wrong here, or the weight cannot be packed."""


@torch.no_grad()
def prove_product(product: Callable[[Tensor], Tensor], weight: Tensor, precision: Precision) -> None:
    """Compare `product(x [1, columns]) -> [1, rows]` with the weight's own.

    Raises:
        WrongProductError: they are further apart than `precision` explains.
    """
    x = torch.randn(1, weight.shape[1], dtype=torch.float32, generator=torch.Generator().manual_seed(5))
    truth = x @ weight.float().t()
    off = (product(x).float() - truth).norm() / truth.norm().clamp_min(1e-20)
    if not float(off) <= PRODUCT[precision]:
        raise WrongProductError(f"a {precision} weight of {tuple(weight.shape)} is off by {float(off):.1%}")


class Truth:
    """What the unmodified model says in a trial: worked out once, for every step that is compared with it."""

    @torch.no_grad()
    def __init__(self, model: Any, trial: Trial = REPLY) -> None:
        vocabulary = model.config.get_text_config(decoder=True).vocab_size
        ids = torch.randint(0, vocabulary, (1, sum(trial.pieces)), generator=torch.Generator().manual_seed(11))
        ids = ids.to(next(model.parameters()).device)
        cache = SinkCache(model, trial.sinks, trial.window, trial.block)
        first, *rest = trial.pieces
        _model(model, ids[:, :first], cache)
        self.begun = cache.fork()
        """Holds the first piece."""
        self.pieces: list[tuple[Tensor, Tensor]] = []
        """Tokens [1, n] and their logits [1, n, vocabulary], in order."""
        at = first
        for piece in rest:
            end = at + piece
            while at < end:
                n = min(end - at, cache.reach if trial.staged else cache.room)
                cut = ids[:, at : at + n]
                self.pieces.append((cut, _model(model, cut, cache)))
                at += n


@torch.no_grad()
def difference(truth: Truth, step: Step) -> float:
    """Root mean square difference of the logits of `step` and the model, relative to their size; the worst piece."""
    cache, worst = truth.begun.fork(), 0.0
    for ids, expected in truth.pieces:
        off = (step(ids, cache, ids.shape[1]) - expected).float().pow(2).mean().sqrt()
        off = off / expected.float().pow(2).mean().sqrt()
        worst = max(worst, float(off.nan_to_num(nan=torch.inf)))
    return worst


def _model(model: Any, ids: Tensor, cache: SinkCache) -> Tensor:
    positions = cache.positions(ids.shape[1])
    out = model(input_ids=ids, position_ids=positions, past_key_values=cache, use_cache=True)
    return out.logits  # type: ignore[no-any-return]
