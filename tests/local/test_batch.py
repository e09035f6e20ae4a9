"""Streams that are decoded together say what they say alone."""

from __future__ import annotations

import pytest

from chatdev.llm.base import Sampling, SayLimits
from chatdev.llm.local.fast.build import NoCompilerError
from chatdev.llm.local.fast.forward import fast_forward
from tests.local.conftest import talker
from tests.local.test_stream import LIVELY, reply, talk

HEADS = ["You are the programmer, and you are patient.", "Tester.", "You review what others wrote."]


def opened(model):
    streams = [model.open(head, seed=i) for i, head in enumerate(HEADS)]
    for i, stream in enumerate(streams):
        talk(stream, i, 30)
        stream.hear("And now say more. " * (i + 1))
    return streams


@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt_neox", "gemma3"])
@pytest.mark.parametrize("sampling", [Sampling(), LIVELY])
def test_together_they_say_what_they_say_alone(family, sampling):
    alone = [reply(stream, 90 + 60 * i).text for i, stream in enumerate(opened(talker(family, sampling=sampling)))]
    model = talker(family, sampling=sampling)
    streams = opened(model)
    said = ["", "", ""]
    for index, piece in model.say_together([(s, SayLimits(tokens=90 + 60 * i)) for i, s in enumerate(streams)]):
        said[index] += piece
    assert said == alone
    assert [s.reply.text for s in streams] == alone
    assert any(s.memory.plan.evicted > 128 for s in streams)
    assert [talk(s, 1) for s in streams] == [talk(s, 1) for s in _after(talker(family, sampling=sampling))]


@pytest.mark.parametrize("kernels", ["compiled", "torch"])
def test_together_they_use_the_packed_weights_that_each_has_alone(kernels):
    def packed():
        model = talker("qwen3")
        try:
            fast = fast_forward(model.network, "int8", kernels)
        except NoCompilerError as error:
            pytest.skip(f"no compiler here: {error}")
        model.forward, model.joint = fast, fast.joint
        return model

    alone = [reply(stream, 150).text for stream in opened(packed())]
    model = packed()
    streams = opened(model)
    for _ in model.say_together([(stream, SayLimits(tokens=150)) for stream in streams]):
        pass
    assert [s.reply.text for s in streams] == alone
    assert alone != [reply(stream, 150).text for stream in opened(talker("qwen3"))]


def test_more_streams_than_rows_of_one_call(monkeypatch):
    monkeypatch.setattr("chatdev.llm.local.fast.native.MOST_ROWS", 2)
    model = talker()
    try:
        fast = fast_forward(model.network, "fp32", "compiled")
    except NoCompilerError as error:
        pytest.skip(f"no compiler here: {error}")
    alone = [reply(stream, 60).text for stream in opened(model)]
    model.forward, model.joint = fast, fast.joint
    streams = opened(model)
    for _ in model.say_together([(stream, SayLimits(tokens=60)) for stream in streams]):
        pass
    assert [s.reply.text for s in streams] == alone


def _after(model):
    streams = opened(model)
    for i, stream in enumerate(streams):
        reply(stream, 90 + 60 * i)
    return streams


def test_a_listener_who_leaves_ends_all_replies_and_no_stream_is_harmed():
    model = talker(sampling=LIVELY)
    streams = opened(model)
    speaking = model.say_together([(stream, SayLimits(tokens=200)) for stream in streams])
    for _ in range(12):
        next(speaking)
    speaking.close()
    assert "cut" in {s.reply.finish for s in streams}
    for stream in streams:
        assert stream.waiting <= 1
        talk(stream, 3)
        assert stream.memory.cache.layers[0].keys.shape[0] == 1
