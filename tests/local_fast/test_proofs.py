"""What was proved of weights on this machine is not proved again, and nothing else is taken for it."""

from __future__ import annotations

import json
import os

import pytest

from chatdev.llm.local import open_local
from chatdev.llm.local.fast import forward, proofs
from chatdev.llm.local.fast.forward import fast_forward
from tests.local.conftest import byte_tokenizer
from tests.local.zoo import make


@pytest.fixture
def records(tmp_path, monkeypatch, kernels):
    """Where proofs are kept; the library that was built stays where it is, as it is open already."""
    monkeypatch.setenv("CHATDEV_CACHE", str(tmp_path / "cache"))
    return lambda: sorted((tmp_path / "cache" / "proofs").glob("*"))


@pytest.fixture
def unproved(monkeypatch):
    """From `unproved()` on no proof succeeds: what works was remembered."""
    return lambda: monkeypatch.setattr(forward, "difference", lambda truth, step: float("inf"))


def test_a_proof_is_remembered(records, unproved):
    network = make("qwen3")
    first = fast_forward(network, "int8", identity="these weights")
    unproved()
    again = fast_forward(network, "int8", identity="these weights")
    assert first is not None
    assert again is not None
    assert again.describe() == first.describe()
    assert len(records()) == 1


@pytest.mark.parametrize("other", ["weights", "precision", "kernels", "threads", "processor", "release", "sources"])
def test_whatever_changed_is_proved_again(other, records, unproved, monkeypatch, tmp_path):
    network, given = make("llama"), {"precision": "int8", "identity": "these weights"}
    assert fast_forward(network, **given) is not None
    unproved()
    if other == "weights":
        given["identity"] = "other weights"
    elif other == "precision":
        given["precision"] = "bf16"
    elif other == "kernels":
        given["kernels"] = "torch"
    elif other == "threads":
        monkeypatch.setattr(proofs.torch, "get_num_threads", lambda: 77)
    elif other == "processor":
        monkeypatch.setattr(proofs, "_processor", lambda: "another one")
    elif other == "release":
        monkeypatch.setattr(proofs.torch, "__version__", "1.0")
    else:
        monkeypatch.setattr(proofs, "SOURCES", ("*.py",))
    assert fast_forward(network, **given) is None


def test_a_proof_that_failed_is_not_remembered(records, unproved):
    unproved()
    assert fast_forward(make("llama"), identity="these weights") is None
    assert records() == []


NO_RECORDS = ["", "{", "[1]", "[" * 200_000, '{"anatomy": "good"}', '{"anatomy": null}', '{"anatomy": NaN}']
HUGE = '{"anatomy": 1' + "0" * 400 + "}"


@pytest.mark.parametrize("damage", [*NO_RECORDS, HUGE])
def test_a_damaged_record_is_proved_again(damage, records, unproved):
    network = make("llama")
    fast_forward(network, identity="these weights")
    (record,) = records()
    record.write_text(damage, encoding="utf-8")
    assert fast_forward(network, identity="these weights") is not None
    assert json.loads(record.read_text(encoding="utf-8"))["anatomy"] < 1e-3
    record.write_text(damage, encoding="utf-8")
    unproved()
    assert fast_forward(network, identity="these weights") is None


def test_where_nothing_can_be_written_all_is_proved(kernels, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("CHATDEV_CACHE", str(tmp_path / "file"))
    assert fast_forward(make("llama"), identity="these weights") is not None


def test_without_an_identity_nothing_is_kept(records):
    assert fast_forward(make("llama")) is not None
    assert records() == []


def test_a_model_that_is_opened_again_is_proved_once(records, unproved, tmp_path):
    folder = tmp_path / "model"
    make("llama", vocab_size=261).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    assert open_local(str(folder)).settle() is not None
    unproved()
    assert open_local(str(folder)).settle() is not None
    weights = next(folder.glob("*.safetensors"))
    os.utime(weights, (1, 1))
    assert open_local(str(folder)).settle() is None
