"""The step with fixed shapes, uncaptured, against the unmodified model; where there is a GPU, captured as well."""

from __future__ import annotations

import pytest
import torch

from chatdev.llm.local import SinkCache
from chatdev.llm.local.fast.anatomy import dissect
from chatdev.llm.local.fast.static_step import StaticStep
from tests.local.zoo import make, tokens
from tests.local_fast.test_step import KNOWN, plain, run

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here"))]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("family", KNOWN)
def test_logits_are_the_models_own_for_hundreds_of_tokens(family, device):
    model, ids = make(family).to(device), tokens(200).to(device)
    step = StaticStep(dissect(model))
    ours = run(step, model, ids, (1, 3, 1, 2, 8))
    truth = run(plain(model), model, ids, (4,))
    assert float((ours - truth).abs().max()) <= 1e-3


@pytest.mark.parametrize("device", DEVICES)
def test_two_streams_a_fork_and_drafts_taken_back(device):
    model, ids = make("llama").to(device), tokens(90).to(device)
    step, caches = StaticStep(dissect(model)), []
    for seed in (1, 2):
        cache = SinkCache(model, 4, 60, 8)
        cache.feed(model, tokens(48, seed).to(device)[None])
        caches.append(cache)
    twin = caches[0].fork()
    for i in range(0, 40, 4):
        piece = ids[None, i : i + 4]
        truth = plain(model)(piece, twin, 4)
        if caches[0].room > 9:
            step(tokens(9, i).to(device)[None], caches[0], 9)
            caches[0].crop(-9)
        assert torch.allclose(step(piece, caches[0], 4), truth, atol=1e-3)
        step(piece, caches[1], 1)
    assert twin.plan.evicted > 0


@pytest.mark.slow
def test_it_can_be_compiled(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    model, ids = make("llama"), tokens(60)
    step = StaticStep(dissect(model), compiled=True)
    try:
        ours = run_from(step, model, ids)
    except RuntimeError as error:
        pytest.skip(f"torch.compile does not work here: {str(error)[:80]}")
    assert torch.allclose(ours, run_from(plain(model), model, ids), atol=1e-3)


def run_from(step, model, ids):
    cache = SinkCache(model, 4, 28, 4)
    cache.feed(model, ids[None, :20])
    return torch.cat([step(ids[None, i : i + 1], cache, 1)[0] for i in range(20, len(ids))])
