"""A snapshot of a local stream: it goes on from there, or is refused and changes nothing."""

from __future__ import annotations

import pytest
import torch

from tests.local.conftest import LIVELY, talk, talker


def test_a_snapshot_goes_on_where_the_stream_was(tmp_path):
    model = talker(sampling=LIVELY)
    stream = model.open("Head")
    talk(stream, 5)
    stream.hear("And now?")
    stream.save(tmp_path / "a.safetensors")
    other = talker(sampling=LIVELY).open("Head")
    assert other.load(tmp_path / "a.safetensors")
    for layer, twin in zip(stream.memory.cache.layers, other.memory.cache.layers, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(layer.view(), twin.view(), strict=True))
    assert talk(stream, 3) == talk(other, 3)


@pytest.mark.parametrize("damage", ["head", "window", "truncated", "garbage", "tokens"])
def test_a_snapshot_that_does_not_fit_is_refused_once_and_changes_nothing(tmp_path, damage):
    notices = []
    path = tmp_path / "a.safetensors"
    stream = talker(sampling=LIVELY).open("Head")
    talk(stream, 3)
    stream.save(path)
    data = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(data[:-100])
    if damage == "garbage":
        path.write_bytes(b"\x80\x04not a snapshot")
    if damage == "tokens":
        header = int.from_bytes(data[:8], "little")
        at = data.index(b'"tape"')
        assert at < header
        import json

        offset = json.loads(data[8 : 8 + header])["tape"]["data_offsets"][0] + 8 + header
        path.write_bytes(data[:offset] + b"\x09" + data[offset + 1 :])
    other = talker(sampling=LIVELY, window=144 if damage == "window" else 128, on_notice=notices.append).open(
        "Another" if damage == "head" else "Head"
    )
    fresh = talker(sampling=LIVELY, window=144 if damage == "window" else 128).open(
        "Another" if damage == "head" else "Head"
    )
    assert other.load(path) is False
    assert other.load(path) is False
    assert len(notices) == 1
    assert "does not fit" in notices[0]
    assert talk(other, 1) == talk(fresh, 1)


def test_a_missing_snapshot_is_no_news(tmp_path):
    notices = []
    assert talker(on_notice=notices.append).open("Head").load(tmp_path / "none") is False
    assert notices == []
