"""The evaluator: the same numbers as the plain ways of getting them, and a figure that can be opened."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from chatdev.errors import UserError
from chatdev.llm.local.perplexity import Plan, losses, measure, of_text
from tests.local.conftest import talker
from tests.local.zoo import make, tokens
from tests.reference.original import OriginalStream
from tests.reference.recompute import RecomputeStream

PLAN = Plan(window=32, sinks=(0, 4), chunk=50, dense=100, samples=40, buckets=10)


def test_the_curves_are_what_the_references_give():
    model, ids = make("llama"), tokens(300)
    dense, window, sinks, recompute = measure(model, ids, PLAN)
    original = losses(OriginalStream(model, 4, 28).feed(ids[:-1]), ids[1:])
    assert sinks.total == pytest.approx(float(original.sum()), rel=1e-4)
    assert sinks.tokens == 299
    plain = losses(OriginalStream(model, 0, 32).feed(ids[:-1]), ids[1:])
    assert window.total == pytest.approx(float(plain.sum()), rel=1e-4)
    whole = losses(model(input_ids=ids[None, :99]).logits[0], ids[1:100])
    assert dense.total == pytest.approx(float(whole.sum()), rel=1e-4)
    again, step = RecomputeStream(model, 32), (299 - 32) // 40
    rows = [again.step(int(t)) for t in ids[:-1]]
    places = range(32, 299, step)
    expected = losses(torch.stack([rows[p] for p in places]), ids[[p + 1 for p in places]])
    assert recompute.total == pytest.approx(float(expected.sum()), rel=1e-4)
    assert recompute.exact is False


def test_a_text_becomes_a_table_and_a_figure(tmp_path):
    model, out = talker(), tmp_path / "figure.png"
    result = of_text(model, "All work and no play makes a dull text. " * 10, PLAN, out)
    assert "| 4 + 28 |" in result
    assert "(sampled)" in result
    with Image.open(out) as image:
        assert image.size == (1200, 720)
        assert len(image.convert("RGB").getcolors(100_000)) > 10


def test_a_short_text_is_a_user_error():
    with pytest.raises(UserError, match="too few to leave a window"):
        of_text(talker(), "short", PLAN, None)
