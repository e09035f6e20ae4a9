"""The error against the truth does not grow with the stream, and in 16 bits it is not larger than the original's."""

from __future__ import annotations

import torch

from chatdev.llm.local import SinkCache
from tests.local.test_exactness import run
from tests.local.zoo import make, tokens
from tests.reference.original import OriginalStream


def test_the_difference_is_flat_over_many_rebases():
    model, ids = make("llama"), tokens(1600)
    truth = OriginalStream(model, 4, 28, 7).feed(ids)
    cache = SinkCache(model, 4, 28, 7)
    off = (run(model, cache, ids) - truth).abs().amax(-1)
    assert cache.plan.offset > 1500
    first, last = float(off[100:500].median()), float(off[1200:].median())
    assert last < 1e-4
    assert last < 2 * first


def test_bf16_is_not_further_from_the_truth_than_the_original():
    low, high, ids = make("llama").to(torch.bfloat16), make("llama"), tokens(600)
    high.load_state_dict(low.float().state_dict())
    low = low.to(torch.bfloat16)
    truth = OriginalStream(high, 4, 60, 8).feed(ids)[100:]
    original = OriginalStream(low, 4, 60, 8).feed(ids)[100:].float()
    ours = run(low, SinkCache(low, 4, 60, 8), ids, [1])[100:].float()
    assert (ours - truth).pow(2).mean().sqrt() <= 1.05 * (original - truth).pow(2).mean().sqrt()
