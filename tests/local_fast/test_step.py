"""The fast step against the unmodified model: every family it knows, across evictions and rebases."""

from __future__ import annotations

import pytest
import torch

from chatdev.llm.local import SinkCache
from chatdev.llm.local.fast import native
from chatdev.llm.local.fast.forward import fast_forward
from tests.local.zoo import make, tokens

KNOWN = ["llama", "llama3-rope", "yarn", "qwen2", "qwen3", "mistral", "phi3", "stablelm", "glm", "olmo2", "smollm3"]
FOREIGN = ["gpt_neox", "cohere", "gemma2", "gemma3", "gpt_oss"]
SINKS, WINDOW, BLOCK = 4, 28, 4


def fast(model, precision="fp32", kernels="auto"):
    notices = []
    forward = fast_forward(model, precision, kernels, notices.append)
    return forward, notices


def run(forward, model, ids, pieces):
    cache, rows, at = SinkCache(model, SINKS, WINDOW, BLOCK), [], 0
    while at < len(ids):
        n = min(pieces[len(rows) % len(pieces)], cache.room, len(ids) - at)
        rows.append(forward(ids[None, at : at + n], cache, n)[0])
        at += n
    assert cache.plan.evicted > 80
    return torch.cat(rows)


def plain(model):
    return lambda ids, cache, rows: model(input_ids=ids, past_key_values=cache, use_cache=True).logits


@pytest.mark.parametrize("kernels", ["compiled", "torch"])
@pytest.mark.parametrize("family", KNOWN)
def test_logits_are_the_models_own_for_hundreds_of_tokens(request, family, kernels):
    if kernels == "compiled":
        request.getfixturevalue("kernels")
    model, ids = make(family), tokens(200)
    forward, notices = fast(model, kernels=kernels)
    assert forward is not None, notices
    ours = run(forward, model, ids, (1, 3, 1, 2))
    truth = run(plain(model), model, ids, (4,))
    assert float((ours - truth).abs().max()) <= 1e-3
    assert forward.kernels == kernels


@pytest.mark.parametrize("family", KNOWN)
def test_prompts_over_evictions_do_not_need_the_model(family):
    model, ids = make(family), tokens(400)
    forward, notices = fast(model, kernels="torch")
    assert forward is not None, notices
    cache, truth = SinkCache(model, SINKS, 60, BLOCK), SinkCache(model, SINKS, 60, BLOCK)
    ran, crossed, at = [], 0, 0
    while at < len(ids):
        n = min(cache.reach, len(ids) - at)
        chunk, crossed = ids[None, at : at + n], crossed + (n > cache.room)
        hook = model.register_forward_hook(lambda *_: ran.append(1))
        ours = forward(chunk, cache, n)
        hook.remove()
        assert float((ours - plain(model)(chunk, truth, n)).abs().max()) <= 1e-3
        at += n
    assert not ran
    assert crossed > 3
    assert cache.plan == truth.plan


@pytest.mark.parametrize("precision", ["fp32", "int8", "int4"])
def test_a_processor_without_wide_vectors_gives_the_same(monkeypatch, kernels, plain_kernels, precision):
    model, ids = make("qwen2"), tokens(200)
    forwards = []
    for built in (kernels, plain_kernels):
        monkeypatch.setattr(native, "library", lambda built=built: built)
        forwards.append(fast(model, precision, "compiled")[0])
    here, there = (run(forward, model, ids, (1, 3, 1, 2)) for forward in forwards)
    assert forwards[0].step.library is not forwards[1].step.library
    # Where integers are multiplied, activations are rounded to 16 bits.
    assert float((here - there).abs().max()) <= (1e-3 if precision == "fp32" else 2e-2)


@pytest.mark.parametrize("family", FOREIGN)
def test_a_model_it_does_not_know_keeps_its_own_forward(family):
    forward, notices = fast(make(family))
    assert forward is None
    assert len(notices) == 1
    assert "its own forward serves it" in notices[0]


@pytest.mark.parametrize("part", ["mlp", "self_attn"])
def test_a_part_that_no_attribute_shows_is_found_out(part):
    model = make("llama")
    module = getattr(model.model.layers[1], part)

    def louder(module, args, output):
        return output * 1.02 if isinstance(output, torch.Tensor) else (output[0] * 1.02, *output[1:])

    module.register_forward_hook(louder)
    forward, notices = fast(model)
    assert forward is None
    assert "differs from this model" in notices[0]


def test_biases_and_narrow_heads():
    model = make("llama", attention_bias=True, mlp_bias=True, head_dim=8)
    for layer in model.model.layers:
        for module in (layer.self_attn.q_proj, layer.self_attn.o_proj, layer.mlp.down_proj):
            torch.nn.init.normal_(module.bias)
    forward, notices = fast(model)
    assert forward is not None, notices
    assert forward.loss < 1e-4


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8", "int4"])
def test_a_token_gets_the_same_bits_alone_and_with_others(kernels, precision):
    model, ids = make("qwen3"), tokens(120)
    forward, notices = fast(model, precision, "compiled")
    assert forward is not None, notices
    alone = run(forward, model, ids, (1,))
    assert torch.equal(alone, run(forward, model, ids, (4, 1, 3)))


def test_streams_side_by_side_get_the_bits_of_each(kernels):
    model = make("llama")
    forward, _ = fast(model, "int8", "compiled")
    texts = torch.stack([tokens(80, seed) for seed in (1, 2, 3)])
    together, singles = SinkCache(model, SINKS, WINDOW, BLOCK), []
    rows = torch.stack([forward(texts[:, i : i + 1], together, 1)[:, 0] for i in range(80)], 1)
    for text in texts:
        cache = SinkCache(model, SINKS, WINDOW, BLOCK)
        singles.append(torch.cat([forward(text[None, i : i + 1], cache, 1)[0] for i in range(80)]))
    assert torch.equal(rows, torch.stack(singles))


def test_a_draft_that_was_taken_back_leaves_no_trace(kernels):
    model, ids = make("llama"), tokens(60)
    forward, _ = fast(model, "int8", "compiled")
    cache = SinkCache(model, SINKS, 60, BLOCK)
    for i in range(40):
        forward(ids[None, i : i + 1], cache, 1)
    clean = cache.fork()
    forward(tokens(5, seed=8)[None], cache, 5)
    cache.crop(-5)
    assert torch.equal(forward(ids[None, 40:43], cache, 3), forward(ids[None, 40:43], clean, 3))


def test_many_tokens_go_through_the_model_and_few_through_the_step(kernels):
    model, ids = make("llama"), tokens(100)
    forward, _ = fast(model, "int8", "compiled")
    cache, other = SinkCache(model, 4, 200), SinkCache(model, 4, 200)
    exact = plain(model)(ids[None, :64], other, 64)
    assert torch.allclose(forward(ids[None, :64], cache, 2), exact[:, -2:], atol=1e-4)
    packed, exact = forward(ids[None, 64:66], cache, 1), plain(model)(ids[None, 64:66], other, 1)[:, -1:]
    assert not torch.allclose(packed, exact, atol=1e-3)


@pytest.fixture
def another_model_is_loading():
    """While the library loads one in bf16, torch's default type is bf16 in every thread."""
    torch.set_default_dtype(torch.bfloat16)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("kernels_named", ["compiled", "torch"])
def test_nothing_depends_on_a_model_that_is_loaded_meanwhile(request, kernels, precision, kernels_named):
    model, ids = make("llama3-rope", attention_bias=True), tokens(120)
    expected = run(fast(model, precision, kernels_named)[0], model, ids, (3, 1))
    request.getfixturevalue("another_model_is_loading")
    forward, notices = fast(model, precision, kernels_named)
    assert forward is not None, notices
    assert torch.equal(run(forward, model, ids, (3, 1)), expected)


def test_the_model_is_left_as_it_was(kernels):
    model = make("llama")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    forwards = [type(module).forward for module in model.modules()]
    fast(model, "int4", "compiled")
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert [type(module).forward for module in model.modules()] == forwards
    assert not any("forward" in vars(module) for module in model.modules())
