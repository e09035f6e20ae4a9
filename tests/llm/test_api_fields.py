"""Fields that an endpoint refuses are renamed, left out or done on our side, and that is learned once."""

from __future__ import annotations

import pytest

from chatdev.llm.base import SayLimits
from tests.fake_behaviours import (
    failing,
    normal,
    refuses,
)
from tests.llm.conftest import told


def test_an_endpoint_without_usage_in_streams_is_learned_once(server, connect):
    server.usual = refuses("stream_options", "Unknown field: stream_options")
    stream = connect(server).open("head")
    for _ in range(2):
        stream.hear("Hi")
        list(stream.say(SayLimits()))
        assert stream.reply.usage.estimated
    assert len(server.calls) == 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "max_tokens",
            "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.",
        ),
        (
            "temperature",
            "Unsupported value: 'temperature' does not support 0. Only the default (1) is supported.",
        ),
        ("stream", "Your organization must be verified to stream this model."),
    ],
)
def test_a_refused_field_is_renamed_or_left_out(server, ask, name, message):
    server.usual = lambda exchange: (
        exchange.error(400, message, param=name)
        if exchange.call.body.get(name) not in (None, False) or (name == "temperature" and name in exchange.call.body)
        else normal()(exchange)
    )
    _, stream = ask(server)
    assert stream.reply.finish == "stop"
    sent = server.calls[-1].body
    assert not sent.get(name)
    if name == "max_tokens":
        assert sent["max_completion_tokens"] == 4096


def test_an_endpoint_without_any_limit_field_is_limited_on_our_side(server, ask):
    server.reply = "y" * 2_000

    def neither(exchange):
        for name in ("max_tokens", "max_completion_tokens"):
            if name in exchange.call.body:
                return exchange.error(422, f"extra field not permitted: {name}")
        return normal()(exchange)

    server.usual = neither
    _, stream = ask(server, limits=SayLimits(tokens=10))
    assert stream.reply.finish == "length"
    assert len(stream.reply.text) == 160


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens is too large: 4096. This model supports at most 1000 completion tokens, whereas you provided 4096.",
        "`max_tokens` must be less than or equal to `1000`, its maximum is less than the `context_window`",
        "Invalid max_tokens value, the valid range of max_tokens is [1, 1000]",
        "max_tokens: 4096 > 1000, which is the maximum allowed number of output tokens",
    ],
)
def test_the_longest_reply_is_learned(server, ask, message):
    server.usual = lambda exchange: (
        exchange.error(400, message) if exchange.call.body["max_tokens"] > 1000 else normal()(exchange)
    )
    ask(server)
    assert server.calls[-1].body["max_tokens"] == 1000
    assert len(server.calls) == 2


def test_a_model_without_a_system_role_gets_the_head_from_the_user(server, ask):
    server.usual = lambda exchange: (
        exchange.error(400, "System role not supported")
        if exchange.call.messages[0]["role"] == "system"
        else normal()(exchange)
    )
    ask(server)
    assert server.calls[-1].messages == [{"role": "user", "content": "You are a programmer.\n\nWrite a snake game."}]


def test_an_error_that_blames_the_same_field_for_ever_ends(server, ask):
    server.usual = failing(400, "temperature is wrong", param="temperature")
    told(lambda: ask(server))
    assert len(server.calls) == 2
