"""What is chosen, what happens without a compiler, and what quantising costs on a trained model."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from chatdev.llm.local import SinkCache
from chatdev.llm.local.fast.build import NoCompilerError, library
from chatdev.llm.local.fast.forward import fast_forward, pick
from tests.local.zoo import make, tokens

TRAINED = os.environ.get("CHATDEV_TEST_MODEL")


@pytest.fixture
def no_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    library.cache_clear()
    yield
    library.cache_clear()


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_torch_serves_and_says_so():
    notices = []
    model = make("llama")
    forward = fast_forward(model, "int8", on_notice=notices.append)
    assert forward is not None
    assert forward.kernels == "torch"
    assert any("no C++ compiler" in note for note in notices)
    cache = SinkCache(model, 4, 28)
    assert forward(tokens(3)[None], cache, 1).shape == (1, 1, model.config.vocab_size)
    with pytest.raises(NoCompilerError):
        fast_forward(model, "int8", "compiled")


def test_a_compiler_that_fails_is_named(monkeypatch, tmp_path):
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\necho 'no such header' >&2\nexit 1\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    library.cache_clear()
    with pytest.raises(NoCompilerError, match="no such header"):
        library()
    library.cache_clear()


def test_a_second_process_takes_the_library_that_is_there(kernels):
    there = {p.name for p in _built()}
    code = "from chatdev.llm.local.fast.build import library; library()"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert {p.name for p in _built()} == there


def _built():
    from chatdev.llm.local.fast.build import cache_folder

    return list(cache_folder().glob("step-*.so"))


def test_auto_is_exact_for_small_models_and_int8_for_large_ones():
    small = make("llama")
    assert pick("auto", small) == "fp32"
    assert pick("auto", small.bfloat16()) == "bf16"
    large = torch.nn.Linear(5000, 5000, bias=False)
    assert pick("auto", large) == "int8"
    assert pick("int4", large) == "int4"


def test_other_dtypes_keep_their_forward():
    assert fast_forward(make("llama").double()) is None


@pytest.mark.skipif(not TRAINED, reason="CHATDEV_TEST_MODEL names no folder of a trained model")
def test_quantising_a_trained_model_costs_little_perplexity(kernels):
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(TRAINED, dtype=torch.bfloat16).eval()
    transformers.set_seed(3)
    start = torch.full((24, 1), model.config.bos_token_id or 1)
    text = model.generate(start, do_sample=True, top_k=0, max_new_tokens=200, min_new_tokens=200)
    length = text.shape[1]

    @torch.no_grad()
    def nats(forward):
        total = 0.0
        for group in text.split(8):
            cache, rows = SinkCache(model, 4, 2 * length), []
            for i in range(0, length, 4):
                chunk = group[:, i : i + 4]
                rows.append(forward(chunk, cache, chunk.shape[1]).float())
            logits = torch.cat(rows, 1)[:, :-1].flatten(0, 1)
            total += float(torch.nn.functional.cross_entropy(logits, group[:, 1:].flatten(), reduction="sum"))
        return total / (text.numel() - len(text))

    own = nats(lambda ids, cache, rows: model(input_ids=ids, past_key_values=cache, use_cache=True).logits)
    for precision, most in (("bf16", 0.005), ("int8", 0.01), ("int4", 0.04)):
        forward = fast_forward(model, precision)
        assert forward is not None
        loss = torch.tensor(nats(forward) - own).exp().item() - 1
        assert loss <= most, f"{precision}: {loss:+.2%}"
