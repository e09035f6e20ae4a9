"""The cache against the original algorithm, every family, more than 600 evictions, fp32."""

from __future__ import annotations

import pytest
import torch

from chatdev.llm.local import SinkCache
from tests.local.zoo import FAMILIES, make, tokens
from tests.reference.original import OriginalStream

SINKS, WINDOW, COUNT = 4, 28, 640
BOUND = 5e-4


@torch.no_grad()
def run(model, cache, ids, pieces=None):
    """Logits [n, vocabulary] of `ids` fed within `room`, or in the given pieces."""
    rows, at = [], 0
    while at < len(ids):
        n = min(cache.room, pieces[len(rows) % len(pieces)] if pieces else cache.room)
        chunk = ids[None, at : at + n]
        out = model(
            input_ids=chunk,
            position_ids=cache.positions(chunk.shape[1]),
            past_key_values=cache,
            use_cache=True,
        )
        rows.append(out.logits[0])
        at += n
    return torch.cat(rows)


def worst(a, b):
    return float((a - b).abs().max())


@pytest.mark.parametrize("family", FAMILIES)
def test_equals_the_original_algorithm_and_the_control_does_not(family):
    model, ids = make(family), tokens(COUNT)
    block = 1 if family == "llama" else 4
    truth = OriginalStream(model, SINKS, WINDOW, block).feed(ids)
    dense = model(input_ids=ids[None, : SINKS + WINDOW]).logits[0]
    assert worst(truth[: SINKS + WINDOW], dense) < BOUND, "the oracle itself differs from the dense model"
    cache = SinkCache(model, SINKS, WINDOW, block)
    ours = run(model, cache, ids)
    assert cache.plan.evicted >= 600
    assert worst(ours, truth) <= BOUND
    control = run(model, SinkCache(model, 0, SINKS + WINDOW, block), ids)
    assert worst(control, truth) >= 100 * BOUND
