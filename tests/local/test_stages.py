"""Prompts that cross evictions in one forward give what their tokens one by one give."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chatdev.llm.local import SinkCache
from chatdev.llm.local.stages import stage_mask
from tests.local.test_exactness import worst
from tests.local.test_window import windows
from tests.local.zoo import make, tokens


def fed(model, cache, ids, sizes):
    """Logits of all tokens, fed in chunks of `sizes` in turn, none beyond what is exact; and how many were staged."""
    rows, at, crossed = [], 0, 0
    while at < len(ids):
        n = min(sizes[len(rows) % len(sizes)], cache.reach, len(ids) - at)
        crossed += n > cache.room
        with torch.no_grad():
            out = model(input_ids=ids[None, at : at + n], past_key_values=cache, use_cache=True)
        rows.append(out.logits[0])
        at += n
    return torch.cat(rows), crossed


@pytest.mark.parametrize(("sinks", "window", "block"), [(4, 44, 8), (0, 40, 5), (20, 60, 10), (4, 28, 1)])
@pytest.mark.parametrize("family", ["llama", "qwen3", "phi3", "smollm3", "gpt_neox", "mistral"])
def test_a_chunk_over_evictions_is_the_same_as_one_by_one(family, sinks, window, block):
    model, ids = make(family), tokens(400)
    cache, single = (SinkCache(model, sinks, window, block) for _ in range(2))
    staged, crossed = fed(model, cache, ids, [1000, 3, 1000, 1])
    assert crossed >= 5
    assert worst(fed(model, single, ids, [1])[0], staged) < 2e-4
    assert (cache.seen, cache.held, cache.plan.evicted) == (single.seen, single.held, single.plan.evicted)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_every_kind_of_attention_and_several_rows(attention):
    model = make("llama")
    model.set_attn_implementation(attention)
    texts = torch.stack([tokens(120, seed) for seed in (1, 2)])
    cache, found = SinkCache(model, 4, 44, 8), []
    assert cache.reach > cache.room
    for at in range(0, 120, 40):
        assert cache.reach >= 40
        found.append(cache.feed(model, texts[:, at : at + 40]))
    for row in (0, 1):
        single = SinkCache(model, 4, 44, 8)
        for at in range(0, 120, 40):
            for token in texts[row, at : at + 40]:
                truth = single.feed(model, token[None, None])
            assert worst(truth[0], found[at // 40][row]) < 2e-4


def test_a_hybrid_model_is_cut_where_it_evicts():
    cache = SinkCache(make("gemma3"), 4, 44, 8)
    assert cache.reach == cache.room


@given(windows(), st.lists(st.integers(1, 120), max_size=40))
def test_whatever_came_at_once_the_state_is_that_of_one_by_one(w, sizes):
    single = type(w)(w.sinks, w.window, w.block, w.limit)
    for size in sizes:
        n = min(size, w.reach)
        assert n >= min(size, w.room)
        w.begin(n)
        assert w.capacity == w.standard
        assert w.start + w.held + n <= w.capacity
        seen = stage_mask(w, n, "cpu")[0, 0]
        columns = [*range(w.sinks), *range(w.sinks + w.evicted, w.seen + n)] if w.evicted else [*range(w.seen + n)]
        columns += [*range(w.sinks)] * len(w.stages(n))
        for row in seen:
            single.begin(1)
            held = [t for t in range(single.seen + 1) if single.holds(t, t + 1)]
            assert sorted(c for c, there in zip(columns, row.tolist(), strict=True) if there) == held
            single.commit(1)
        stages = len(w.stages(n))
        w.commit(n)
        w.leave(stages)
        assert (w.seen, w.held, w.evicted) == (single.seen, single.held, single.evicted)
        assert w.seen - w.offset <= w.limit, "a live position passed the limit"
