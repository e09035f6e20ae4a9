"""A long dialogue never fails: limits are asked for, learned, and kept."""

from __future__ import annotations

import pytest

from chatdev.errors import UserError
from chatdev.llm.base import SayLimits
from tests.fake_behaviours import context_exceeded, failing, normal, refuses
from tests.fake_openai import FakeOpenAI

HEAD = "You are a programmer. " * 5


def talk(stream, turns, *, words=40, tokens=50):
    """A dialogue in which every prompt is numbered; returns the marks of the prompts."""
    marks = []
    for turn in range(turns):
        marks.append(stream.hear(f"prompt {turn}: " + "word " * words))
        assert "".join(stream.say(SayLimits(tokens=tokens)))
    return marks


def test_too_long_at_the_third_call_shrinks_and_goes_on(server, connect):
    server.at(3, context_exceeded(250))
    stream = connect(server).open(HEAD)
    marks = talk(stream, 4)
    assert len(server.calls) == 5
    refused, repeated = server.calls[2], server.calls[3]
    assert repeated.prompt_tokens + 50 <= 250 < refused.prompt_tokens + 50
    assert repeated.messages[0]["content"] == HEAD
    assert repeated.messages[-1]["content"].startswith("prompt 2:")
    assert not stream.holds(marks[0])
    assert stream.holds(marks[3])


@pytest.mark.parametrize("tell", ["error", "list", "nothing"])
def test_a_dialogue_of_twenty_windows(connect, tell):
    models = [{"id": "fake-model", "object": "model", "max_model_len": 600}] if tell == "list" else ["fake-model"]
    with FakeOpenAI("A reply of some words. " * 6, context=600, models=models) as server:
        refused = []

        def behave(exchange):
            if sum(map(len, (m["content"] for m in exchange.call.messages))) / 4 + 100 > 600:
                refused.append(exchange.call)
                return context_exceeded(None)(exchange)
            return normal()(exchange)

        if tell == "nothing":
            server.context, server.usual = None, behave
        stream = connect(server).open(HEAD)
        talk(stream, 100, words=60, tokens=100)
        said = stream.window
        assert said.total > 20 * 400
        assert said.held < 600
        for call in server.calls:
            assert call.messages[0]["content"] == HEAD
            assert call.messages[1]["role"] == "user"
            assert "prompt" in call.messages[-1]["content"]
        failed = len(server.calls) - 100
        assert failed == 0 if tell == "list" else 1 <= failed <= 4


def test_what_stays_is_sent_unchanged_so_that_its_prefix_can_be_cached(connect):
    with FakeOpenAI("ok " * 30, models=[{"id": "fake-model", "context_length": 800}]) as server:
        talk(connect(server).open(HEAD), 40)
        starts = [call.messages[1]["content"] for call in server.calls]
        assert len(set(starts)) < 15


@pytest.mark.parametrize("name", ["context_length", "max_model_len", "context_window", "max_context_length"])
def test_the_window_is_read_from_the_list_of_models(connect, name):
    with FakeOpenAI(models=[{"id": "other", name: 100}, {"id": "fake-model", name: 512}]) as server:
        model = connect(server)
        model.preflight()
        assert model.endpoint.window.context == 512


def test_the_users_window_wins(connect):
    with FakeOpenAI(models=[{"id": "fake-model", "context_length": 100_000}]) as server:
        stream = connect(server, context=600).open(HEAD)
        talk(stream, 12)
        assert max(call.prompt_tokens for call in server.calls) < 600


@pytest.mark.parametrize(
    ("status", "message", "limit"),
    [
        (
            400,
            "This model's maximum context length is 4097 tokens. Your messages resulted in 5000 tokens.",
            4097,
        ),
        (
            400,
            "'max_tokens' is too large: 5. The maximum context length is 4096 and your request has 3000 input tokens",
            4096,
        ),
        (400, "the request exceeds the available context size (2048 tokens), try increasing it", 2048),
        (400, "prompt is too long: 210000 tokens > 200000 maximum", 200000),
        (400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", 1048576),
        (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097", 4097),
        (400, "The input (9000 tokens) is longer than the model's context length (8192 tokens).", 8192),
        (
            400,
            "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
            32768,
        ),
        (429, "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000.", 30000),
        (413, "Payload too large", None),
        (500, "Context length of 131,072 exceeded", 131072),
    ],
)
def test_too_long_is_understood_in_many_dialects(server, connect, status, message, limit):
    server.next(failing(status, message))
    model = connect(server)
    stream = model.open(HEAD)
    stream.hear("prompt " * 1500)
    list(stream.say(SayLimits()))
    assert len(server.calls) == 2
    assert model.endpoint.window.context == limit
    if limit is None:
        assert server.calls[1].prompt_tokens < server.calls[0].prompt_tokens


def test_one_enormous_message_is_cut_in_its_middle(connect):
    with FakeOpenAI(context=1000) as server:
        stream = connect(server).open(HEAD)
        mark = stream.hear("BEGIN " + "x" * 40_000 + " END")
        list(stream.say(SayLimits(tokens=100)))
        sent = server.calls[-1].messages[-1]["content"]
        assert sent.startswith("BEGIN x")
        assert sent.endswith("x END")
        assert "characters are left out here" in sent
        assert server.calls[-1].prompt_tokens <= 900
        assert not stream.holds(mark)


def test_an_error_that_tells_a_limit_which_was_not_exceeded(server, connect):
    server.at(3, context_exceeded(100_000))
    stream = connect(server).open(HEAD)
    talk(stream, 4)
    assert server.calls[3].prompt_tokens < server.calls[2].prompt_tokens


def test_a_window_smaller_than_the_head_is_told(connect):
    with FakeOpenAI(context=100) as server:
        stream = connect(server).open("You are. " * 400)
        stream.hear("Hi")
        with pytest.raises(UserError, match="larger window"):
            list(stream.say(SayLimits()))
        assert len(server.calls) < 6


def test_the_reply_gets_only_the_room_that_is_left(connect):
    with FakeOpenAI(models=[{"id": "fake-model", "context_length": 1000}], context=1000) as server:
        stream = connect(server).open(HEAD)
        stream.hear("word " * 400)
        list(stream.say(SayLimits(tokens=4096)))
        (call,) = server.calls
        assert call.prompt_tokens + call.body["max_tokens"] <= 1000
        assert call.body["max_tokens"] > 300


def test_the_estimate_follows_the_reported_usage(connect):
    """A text of which every character is a token, such as Chinese with some tokenizers."""

    def dense(exchange):
        exchange.call.body["dense"] = sum(len(m["content"]) + 4 for m in exchange.call.messages)
        exchange.start_stream()
        exchange.delta("ok", finish="stop")
        exchange.event({"choices": [], "usage": {"prompt_tokens": exchange.call.body["dense"], "completion_tokens": 1}})
        exchange.end_stream()

    with FakeOpenAI(models=[{"id": "fake-model", "context_length": 3000}]) as server:
        server.usual = dense
        stream = connect(server).open("头" * 100)
        for turn in range(30):
            stream.hear(f"{turn}" + "字" * 250)
            list(stream.say(SayLimits(tokens=500)))
        assert all(call.body["dense"] <= 2500 for call in server.calls)


def test_a_refused_field_and_a_long_prompt_in_one_reply(server, connect):
    server.next(refuses("temperature", "Unsupported parameter: temperature"), context_exceeded(500))
    stream = connect(server).open(HEAD)
    stream.hear("word " * 800)
    list(stream.say(SayLimits(tokens=64)))
    assert stream.reply.finish == "stop"
    assert server.calls[-1].prompt_tokens <= 436
