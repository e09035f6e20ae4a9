"""The second oracle: the moved query against the moved sinks, and its independence of the cutting."""

from __future__ import annotations

import pytest
import torch

from chatdev.llm.local import SinkCache
from chatdev.llm.local.two_queries import TwoQueries
from tests.local.test_exactness import run, worst
from tests.local.zoo import FAMILIES, make, tokens


def evaluate(model, ids, pieces, sinks=4, window=28, limit=200):
    state, rows, at = TwoQueries(model, sinks, window, limit), [], 0
    with state.attention():
        while at < len(ids):
            n = pieces[len(rows) % len(pieces)]
            rows.append(state.feed(ids[at : at + n]))
            at += n
    assert state.offset > 0 or len(ids) < limit
    return torch.cat(rows)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_moved_query_equals_the_walking_sinks(family):
    model, ids = make(family), tokens(300)
    walked = run(model, SinkCache(model, 4, 28, 1), ids)
    assert worst(evaluate(model, ids, [50]), walked) < 2e-4


@pytest.mark.parametrize("pieces", [[1], [7], [300], [3, 40, 11]])
def test_the_cutting_does_not_matter(pieces):
    model, ids = make("llama"), tokens(300)
    assert worst(evaluate(model, ids, pieces, limit=10_000), evaluate(model, ids, [64], limit=10_000)) < 5e-5


def test_the_attention_of_the_model_is_put_back():
    model, ids = make("llama"), tokens(20)
    before = model(input_ids=ids[None]).logits
    evaluate(model, ids, [20])
    assert torch.equal(before, model(input_ids=ids[None]).logits)
