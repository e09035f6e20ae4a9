"""What can go wrong at an endpoint, and what a person gets to see of it."""

from __future__ import annotations

import datetime
import email.utils

import pytest

from chatdev.errors import UserError
from chatdev.llm.api import ApiModel
from chatdev.llm.base import SayLimits
from chatdev.llm.patience import Patience
from tests.fake_behaviours import (
    busy,
    error_in_stream,
    failing,
    html_200,
    html_502,
    no_quota,
    normal,
    not_found,
    refuses,
    silence,
    wrong_key,
)
from tests.fake_openai import FakeOpenAI
from tests.llm.conftest import KEY


def told(call) -> str:
    """The one line of a UserError."""
    with pytest.raises(UserError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    assert KEY not in text
    # No chained exception either: it would carry the endpoint's words past the redaction.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return text


@pytest.mark.parametrize(
    ("status", "message", "fix"),
    [
        (400, "Invalid value for 'messages'", "another model"),
        (401, "Incorrect API key", "OPENAI_API_KEY"),
        (403, "Country not supported", "rights"),
        (404, "The model does not exist", "It has: fake-model"),
        (402, "Payment required", "Add credit"),
    ],
)
def test_what_trying_again_cannot_mend_is_told_at_once(server, ask, waits, status, message, fix):
    server.usual = failing(status, message)
    text = told(lambda: ask(server, name="zzz-9"))
    assert server.url in text
    assert '"zzz-9"' in text
    assert f"{status} {message}" in text
    assert fix in text
    assert len(server.calls) == 1
    assert waits.seen == []


def test_a_missing_model_gets_a_suggestion(server, ask):
    server.usual = not_found("fake-modle")
    assert 'Did you mean "openai:fake-model"?' in told(lambda: ask(server, name="fake-modle"))


@pytest.mark.parametrize(
    "behaviour",
    [html_502(), busy(), failing(500), failing(503), failing(408), failing(409), error_in_stream("overloaded")],
)
def test_what_may_pass_is_tried_again_with_the_wait_shown(server, ask, waits, behaviour):
    server.next(behaviour, behaviour)
    _, stream = ask(server)
    assert stream.reply.finish == "stop"
    assert len(server.calls) == 3
    assert len(waits.seen) == 2
    assert all(seconds > 0 and reason for seconds, reason in waits.seen)


def test_an_html_error_page_is_told_in_a_few_words(server, ask, waits):
    server.usual = html_502()
    text = told(lambda: ask(server))
    assert "502" in text
    assert "Bad Gateway" in text
    assert "<" not in text
    assert "resume" in text
    assert len(server.calls) == 6
    assert "<" not in "".join(reason for _, reason in waits.seen)


def test_a_web_page_with_status_200_points_at_the_address(server, ask):
    server.usual = html_200()
    text = told(lambda: ask(server))
    assert "web page" in text
    assert "/v1" in text
    assert len(server.calls) == 1


def test_retry_after_is_honoured(server, ask, waits):
    server.next(busy("0.3"))
    ask(server)
    ((seconds, reason),) = waits.seen
    assert seconds == 0.3
    assert "Rate limit" in reason


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_wait_beyond_all_patience_is_not_waited_for(server, ask, waits, form):
    tomorrow = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    server.usual = busy(86_400 if form == "seconds" else email.utils.format_datetime(tomorrow, usegmt=True))
    assert "resume" in told(lambda: ask(server))
    assert len(server.calls) == 1
    assert waits.seen == []


def test_no_credit_is_not_waited_for(server, ask, waits):
    server.usual = no_quota()
    text = told(lambda: ask(server))
    assert "quota" in text
    assert "credit" in text
    assert len(server.calls) == 1
    assert waits.seen == []


def test_waits_grow_and_end(server, ask, waits):
    server.usual = busy()
    told(lambda: ask(server, patience=Patience(tries=5, first=0.01)))
    assert len(server.calls) == 5
    seconds = [wait for wait, _ in waits.seen]
    assert len(seconds) == 4
    assert seconds[3] > 3 * seconds[0]


def test_silence_is_given_up_and_asked_again(server, ask, waits):
    server.next(silence(10))
    _, stream = ask(server, read_timeout=0.5)
    assert stream.reply.finish == "stop"
    assert "timed out" in waits.seen[0][1]


def test_lasting_silence_names_the_setting(server, ask):
    server.usual = silence(10)
    text = told(lambda: ask(server, read_timeout=0.1, patience=Patience(tries=2, first=0.01)))
    assert "timed out" in text
    assert "CHATDEV_API_TIMEOUT" in text


def test_nobody_there(ask):
    with FakeOpenAI() as server:
        gone = server.url
    model = ApiModel("m", gone, KEY, patience=Patience(tries=2, first=0.01))
    stream = model.open("head")
    stream.hear("Hi")
    text = told(lambda: list(stream.say(SayLimits())))
    assert "refused" in text.lower()
    assert gone in text


def test_the_key_is_redacted_even_when_the_endpoint_echoes_it(server, ask):
    server.usual = wrong_key()
    assert "[key]" in told(lambda: ask(server))
    server.usual = failing(403, f"token {KEY[3:17]}... may not")
    text = told(lambda: ask(server))
    assert KEY[3:17] not in text
    server.usual = failing(500, f"upstream said Bearer {KEY}")
    told(lambda: ask(server))


@pytest.mark.parametrize("before", range(225, 275, 7))
def test_a_long_error_is_not_cut_in_the_middle_of_the_key(server, ask, before):
    server.usual = failing(400, "x" * before + KEY + " and more")
    assert KEY[:4] not in told(lambda: ask(server))


def test_waits_and_notices_are_redacted(server, connect, waits):
    server.next(failing(500, f"bad {KEY}"))
    stream = connect(server).open("head")
    stream.hear("Hi")
    list(stream.say(SayLimits()))
    assert KEY not in waits.seen[0][1]
    assert KEY not in repr(stream.endpoint.redact)


def test_a_password_in_the_address_is_not_shown():
    model = ApiModel("m", "http://me:secret@localhost:1/v1", None, patience=Patience(tries=1))
    assert "secret" not in model.describe()


def test_a_server_of_ones_own_needs_no_key(server):
    model = ApiModel("m", server.url)
    stream = model.open("head")
    stream.hear("Hi")
    assert list(stream.say(SayLimits()))
    assert server.calls[0].key == "none"


def test_openai_needs_a_key():
    text = told(lambda: ApiModel("gpt-4o"))
    assert "OPENAI_API_KEY" in text
    assert "gpt-4o" in text


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "http://", "http://a:b:c/v1", "http://x:99999/v1"])
def test_an_address_that_is_none(url):
    assert "http://localhost:8000/v1" in told(lambda: ApiModel("m", url))


def test_a_key_that_is_none():
    assert "OPENAI_API_KEY" in told(lambda: ApiModel("m", None, "sk-ключ"))


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


def test_errors_in_other_shapes_are_read(server, ask):
    for body in (
        {"detail": [{"loc": ["body", "model"], "msg": "field required"}]},
        {"message": "field required"},
        {"error": "field required"},
        {"object": "error", "message": "field required"},
    ):
        server.usual = lambda exchange, body=body: exchange.json(400, body)
        assert "400 field required" in told(lambda: ask(server))
    server.usual = lambda exchange: exchange.json(200, {"error": {"message": "no such thing", "code": 404}})
    assert "no such thing" in told(lambda: ask(server))
    server.usual = lambda exchange: exchange.json(200, ["?"])
    assert "no reply" in told(lambda: ask(server))


def test_terminal_escapes_in_an_error_are_not_passed_on(server, ask):
    server.usual = failing(400, "bad \x1b]0;title\x07\x1b[2J\r\nline two " + "x" * 5000)
    text = told(lambda: ask(server))
    assert text.isprintable()
    assert len(text) < 500


def test_thoughts_without_a_word_and_filters_get_advice_that_helps(server, ask):
    server.usual = normal(text="", finish="length")
    text = told(lambda: ask(server))
    assert "limits.reply_tokens" in text
    assert "OPENAI_BASE_URL" not in text
    server.usual = normal(text="", finish="content_filter")
    text = told(lambda: ask(server))
    assert "word the task differently" in text
    assert "OPENAI_BASE_URL" not in text


def test_what_no_reply_came_of_is_counted_all_the_same(server, connect):
    stream = connect(server, name="gpt-4o-mini").open("You are a programmer.")
    stream.hear("Write a snake game.")
    assert stream.unsaid is None
    server.next(normal(text="", finish="length"))
    told(lambda: list(stream.say(SayLimits())))
    first = stream.unsaid
    assert first.prompt_tokens == server.calls[0].prompt_tokens
    assert first.money > 0
    assert not first.estimated
    list(stream.say(SayLimits()))
    assert stream.unsaid is None
    assert stream.reply.usage.prompt_tokens == server.calls[1].prompt_tokens


@pytest.mark.parametrize("closed", [True, False])
def test_a_reply_that_nobody_listens_to_the_end_is_counted_by_what_came(server, connect, closed):
    stream = connect(server, name="gpt-4o-mini").open("You are a programmer.")
    stream.hear("Write a snake game.")
    words = stream.say(SayLimits())
    pieces = [next(words), next(words)]
    if closed:  # an exception in the listener leaves the iterator open for a while
        words.close()
    spent = stream.unsaid
    assert spent.estimated
    assert spent.prompt_tokens == pytest.approx(server.calls[0].prompt_tokens, abs=2)
    assert 0 < spent.completion_tokens <= len("".join(pieces)) / 4 + 1
    assert spent.money > 0
    assert len(stream.messages) == 1
    assert stream.fork().unsaid is None


def test_interrupted_before_the_first_word_the_prompt_is_counted(server, connect, monkeypatch):
    stream = connect(server).open("You are a programmer.")
    stream.hear("Write a snake game.")

    def interrupted(request):
        raise KeyboardInterrupt

    monkeypatch.setattr(stream.endpoint, "chat", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(stream.say(SayLimits()))
    assert stream.unsaid.prompt_tokens > 0
    assert stream.unsaid.completion_tokens == 0


def test_a_refusal_costs_nothing(server, connect):
    stream = connect(server).open("You are a programmer.")
    stream.hear("Write a snake game.")
    server.usual = wrong_key()
    told(lambda: list(stream.say(SayLimits())))
    assert stream.unsaid is None
