"""What can go wrong at an endpoint, and what a person gets to see of it."""

from __future__ import annotations

import datetime
import email.utils

import pytest

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
    silence,
    wrong_key,
)
from tests.fake_openai import FakeOpenAI
from tests.llm.conftest import KEY, told


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
