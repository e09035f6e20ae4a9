"""What a user of SinkCache relies on: cutting, forking, stepping back, generate over several turns, clear
refusals.
"""

from __future__ import annotations

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.cache_utils import DynamicCache

from chatdev.llm.local import SinkCache, UnsupportedModelError
from tests.local.test_exactness import run, worst
from tests.local.zoo import make, tokens

GREEDY = {"do_sample": False, "eos_token_id": None}


@pytest.mark.parametrize("family", ["llama", "gemma3", "smollm3"])
@pytest.mark.parametrize("pieces", [[1], [7], [3, 1, 5, 2], [1000]])
def test_any_way_of_cutting_gives_the_same_logits(family, pieces):
    model, ids = make(family), tokens(300)
    whole = run(model, SinkCache(model, 4, 44, 8), ids)
    cut = run(model, SinkCache(model, 4, 44, 8), ids, pieces)
    assert worst(whole, cut) < 2e-4


@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_a_fork_is_bitwise_the_same_and_independent(family):
    model, ids = make(family), tokens(240)
    cache = SinkCache(model, 4, 44, 8)
    run(model, cache, ids[:200])
    twin = cache.fork()
    run(model, twin.fork(), tokens(60, seed=9))
    assert torch.equal(run(model, cache, ids[200:]), run(model, twin, ids[200:]))


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_stepping_back_leaves_no_trace(family):
    model, ids = make(family), tokens(260)
    plain, tried = SinkCache(model, 4, 44, 8), SinkCache(model, 4, 44, 8)
    tried.activate_past_recording()
    at = 0
    while at < len(ids):
        keep = min(1 + at % 3, len(ids) - at, tried.room)
        junk = tokens(tried.room - keep, seed=at)
        right = run(model, plain, ids[at : at + keep])
        guessed = run(model, tried, torch.cat([ids[at : at + keep], junk]))
        tried.crop(-len(junk))
        assert worst(right, guessed[:keep]) < 1e-4
        at += keep
    assert tried.plan == plain.plan


def test_stepping_back_over_evicted_tokens_is_refused():
    model = make("llama")
    cache = SinkCache(model, 4, 28, 4)
    run(model, cache, tokens(100))
    with pytest.raises(ValueError, match="cannot step back"):
        cache.crop(-60)


def test_generate_for_three_turns_equals_a_loop_of_forwards():
    model = make("qwen2")
    cache, mine = SinkCache(model, 4, 60, 8, limit=96), SinkCache(model, 4, 60, 8, limit=96)
    text = torch.empty(1, 0, dtype=torch.long)
    for turn in range(3):
        text = torch.cat([text, tokens(5, seed=turn)[None]], dim=1)
        expected = text[0].tolist()
        new = text[:, mine.seen :]
        for _ in range(80):
            token = int(mine.feed(model, new).argmax())
            expected.append(token)
            new = torch.tensor([[token]])
        cache.feed(model, text[:, cache.seen : -1])
        mask = torch.ones_like(text)
        text = model.generate(text, attention_mask=mask, past_key_values=cache, max_new_tokens=80, **GREEDY)
        assert text[0].tolist() == expected
    assert cache.plan.offset > 0, "the live positions were never rebased"


def test_generate_takes_only_the_new_tokens_when_the_mask_counts_all():
    model = make("llama")
    cache = SinkCache(model, 4, 28, 4)
    first = model.generate(
        tokens(6)[None], past_key_values=cache, max_new_tokens=60, do_sample=False, eos_token_id=None
    )
    whole, twin = torch.cat([first, tokens(7, seed=3)[None]], dim=1), cache.fork()
    a = model.generate(whole, attention_mask=torch.ones_like(whole), past_key_values=cache, max_new_tokens=20, **GREEDY)
    new = whole[:, twin.seen :]
    b = model.generate(new, attention_mask=torch.ones_like(whole), past_key_values=twin, max_new_tokens=20, **GREEDY)
    assert a[0, -20:].tolist() == b[0, -20:].tolist()


def test_a_long_prompt_given_to_generate_at_once_is_trimmed_afterwards():
    model = make("llama")
    cache = SinkCache(model, 4, 28, 4)
    model.generate(tokens(300)[None], past_key_values=cache, max_new_tokens=10, do_sample=False, eos_token_id=None)
    assert cache.held <= 32
    assert cache.layers[0].keys.shape[2] == cache.plan.standard


def test_beams_and_other_caches_are_left_in_peace():
    model, ids = make("llama"), tokens(12)[None]
    alone = model(input_ids=ids, past_key_values=DynamicCache(config=model.config)).logits
    out = model.generate(ids, past_key_values=SinkCache(model, 4, 28, 4), max_new_tokens=8, num_beams=3, **GREEDY)
    dense = model.generate(ids, max_new_tokens=8, num_beams=3, **GREEDY)
    assert torch.equal(out, dense)
    assert torch.equal(alone, model(input_ids=ids, past_key_values=DynamicCache(config=model.config)).logits)


def test_a_batch_of_equal_lengths_equals_its_rows():
    model = make("qwen3")
    rows = torch.stack([tokens(150, seed=s) for s in range(3)])
    cache = SinkCache(model, 4, 28, 4)
    batch = cache.feed(model, rows)
    for row, logits in zip(rows, batch, strict=True):
        assert worst(SinkCache(model, 4, 28, 4).feed(model, row[None])[0], logits) < 1e-4


@pytest.mark.parametrize("family", ["llama", "smollm3"])
def test_a_stream_goes_on_in_another_mode_than_it_began_in(family):
    model, ids = make(family), tokens(200)
    plain, cache = SinkCache(model, 4, 28, 4), SinkCache(model, 4, 28, 4)
    truth = run(model, plain, ids)[70:]
    with torch.inference_mode():
        cache.feed(model, ids[None, :70])
        twin = cache.fork()
    assert worst(run(model, twin, ids[70:]), truth) < 1e-4
    model.train().requires_grad_(True)
    for at in range(70, 200, 10):
        logits = model(
            input_ids=ids[None, at : at + 10], position_ids=cache.positions(10), past_key_values=cache
        ).logits
        logits.sum().backward()
        assert worst(logits[0].detach(), truth[at - 70 : at - 60]) < 2e-4


def test_padding_is_refused():
    model = make("llama")
    mask = torch.tensor([[0, 1, 1, 1]])
    with pytest.raises(ValueError, match="no padding"):
        model(input_ids=tokens(4)[None], attention_mask=mask, past_key_values=SinkCache(model, 4, 28))


def test_a_failed_forward_changes_nothing_that_counts():
    model, ids = make("llama"), tokens(100)
    cache, plain = SinkCache(model, 4, 28, 4), SinkCache(model, 4, 28, 4)
    run(model, cache, ids[:60])
    broken = model.model.layers[1].register_forward_pre_hook(_interrupt)
    with pytest.raises(KeyboardInterrupt):
        model(input_ids=ids[None, 60:64], past_key_values=cache)
    broken.remove()
    assert cache.seen == 60
    assert worst(run(model, cache, ids[60:]), run(model, plain, ids)[60:]) < 1e-4


def _interrupt(*_):
    raise KeyboardInterrupt


def test_models_without_a_rotary_embedding_are_refused_with_the_reason():
    model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=16, vocab_size=32))
    with pytest.raises(UnsupportedModelError, match="no rotary embedding"):
        SinkCache(model)


def test_a_window_beyond_the_trained_length_is_refused_with_the_numbers():
    with pytest.raises(ValueError, match="need 9204 positions, the model has 4096"):
        SinkCache(make("llama"), 4, 8188, 1012)


def test_a_model_whose_every_layer_slides_takes_a_narrower_window():
    model, ids = make("mistral", sliding_window=64), tokens(300)
    same = make("mistral")
    assert worst(run(model, SinkCache(model, 4, 28, 4), ids), run(same, SinkCache(same, 4, 28, 4), ids)) < 1e-5
    with pytest.raises(ValueError, match="slides over 64 tokens"):
        SinkCache(model, 4, 100, 4)
