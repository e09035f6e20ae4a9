"""What comes back from an endpoint, and how it is counted."""

from __future__ import annotations

import pytest

from chatdev.errors import UserError
from chatdev.llm.base import Sampling, SayLimits
from chatdev.llm.prices import PriceTable
from tests.fake_behaviours import cut_stream, failing, no_choices, normal, whole
from tests.fake_openai import FakeOpenAI

TEXT = "The snake moves, eats and grows; the walls end the game."


def test_a_reply_is_streamed_in_pieces(server, ask):
    pieces, stream = ask(server)
    assert len(pieces) > 3
    assert stream.reply.text == TEXT
    assert stream.reply.finish == "stop"
    assert server.calls[0].messages == [
        {"role": "system", "content": "You are a programmer."},
        {"role": "user", "content": "Write a snake game."},
    ]


def test_a_whole_reply_to_a_streamed_request_is_read_as_well(server, ask):
    server.next(whole())
    _, stream = ask(server)
    assert stream.reply.text == TEXT
    assert not stream.reply.usage.estimated


def test_the_dialogue_is_sent_again_for_every_reply(server, connect):
    stream = connect(server).open("You are a programmer.")
    first = stream.hear("One")
    list(stream.say(SayLimits()))
    second = stream.hear("Two")
    list(stream.say(SayLimits()))
    assert [m["content"] for m in server.calls[1].messages[1:]] == ["One", TEXT, "Two"]
    assert stream.holds(first)
    assert stream.holds(second)
    assert connect(server).resends


def test_usage_is_what_the_endpoint_reports_and_money_comes_from_the_table(server, ask):
    _, stream = ask(server, name="gpt-4o-mini")
    usage = stream.reply.usage
    assert usage.prompt_tokens == server.calls[0].prompt_tokens
    assert usage.completion_tokens == len(TEXT) / 4
    assert not usage.estimated
    assert usage.money == pytest.approx((usage.prompt_tokens * 0.15 + usage.completion_tokens * 0.60) / 1e6)


def test_without_usage_tokens_are_estimated_and_said_to_be(server, ask):
    server.next(normal(usage=False))
    _, stream = ask(server)
    usage = stream.reply.usage
    assert usage.estimated
    assert usage.completion_tokens == len(TEXT) / 4
    assert usage.prompt_tokens == server.calls[0].prompt_tokens


def test_an_unknown_price_is_unknown_and_not_zero(server, ask):
    _, stream = ask(server, name="my-own-model")
    assert stream.reply.usage.money is None


def test_cached_tokens_cost_less(server, ask):
    def cached(exchange):
        exchange.start_stream()
        exchange.delta("ok", finish="stop")
        usage = {"prompt_tokens": 1000, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 800}}
        exchange.event({"choices": [], "usage": usage})
        exchange.end_stream()

    server.next(cached)
    _, stream = ask(server, name="gpt-4o-mini")
    assert stream.reply.usage.cached_tokens == 800
    assert stream.reply.usage.money == pytest.approx((200 * 0.15 + 800 * 0.075 + 0.60) / 1e6)


def test_reaching_the_limit_is_told(server, ask):
    server.next(normal(finish="length"))
    _, stream = ask(server)
    assert stream.reply.finish == "length"
    assert stream.reply.text == TEXT


def test_empty_choices_are_asked_for_again(server, ask, waits):
    server.next(no_choices(), normal(text=""))
    _, stream = ask(server)
    assert stream.reply.text == TEXT
    assert [reason for _, reason in waits.seen] == ["an empty reply"] * 2
    # The empty replies were paid for.
    assert stream.reply.usage.prompt_tokens == 3 * server.calls[0].prompt_tokens


def test_nothing_but_empty_replies_is_a_clear_error(server, ask):
    server.usual = no_choices()
    with pytest.raises(UserError) as caught:
        ask(server)
    assert "an empty reply" in str(caught.value)
    assert "fake-model" in str(caught.value)
    assert len(server.calls) == 3


def test_a_reply_limit_used_up_by_reasoning_is_told_at_once(server, ask):
    server.usual = normal(text="", finish="length")
    with pytest.raises(UserError, match="without a word"):
        ask(server)
    assert len(server.calls) == 1


@pytest.mark.parametrize("politely", [False, True])
def test_a_cut_stream_is_asked_for_again_and_only_the_rest_is_yielded(server, ask, waits, politely):
    server.next(cut_stream(20, politely=politely))
    pieces, stream = ask(server)
    assert "".join(pieces) == TEXT
    assert stream.reply.finish == "stop"
    assert len(server.calls) == 2
    assert len(waits.seen) == 1
    assert stream.reply.usage.prompt_tokens == 2 * server.calls[0].prompt_tokens
    assert stream.reply.usage.estimated


def test_a_stream_that_is_always_cut_ends_with_what_was_shown(server, ask):
    server.next(cut_stream(10), cut_stream(30), cut_stream(20))
    _, stream = ask(server)
    assert stream.reply.text == TEXT[:30]
    assert stream.reply.finish == "cut"


def test_a_repeated_reply_that_differs_is_not_mixed_in(server, ask):
    server.next(cut_stream(20), normal(text="Something else entirely."), normal(text="And again."))
    _, stream = ask(server)
    assert stream.reply.text == TEXT[:20]
    assert stream.reply.finish == "cut"


def test_a_stream_cut_before_the_first_word_is_an_error_that_can_be_resumed(server, ask):
    server.usual = cut_stream(0)
    with pytest.raises(UserError, match="resume"):
        ask(server)


def test_an_endpoint_that_never_tells_why_it_ends_is_understood_the_second_time(server, connect):
    server.usual = normal(finish=None)
    stream = connect(server).open("")
    for turn in (1, 2):
        stream.hear(f"turn {turn}")
        assert "".join(stream.say(SayLimits())) == TEXT
        assert stream.reply.finish == "stop"
    assert len(server.calls) == 3


def test_a_reply_without_end_is_stopped(server, ask):
    server.reply = "x" * 100_000
    server.piece = 5_000
    _, stream = ask(server, limits=SayLimits(tokens=1000))
    assert len(stream.reply.text) == 16_000
    assert stream.reply.finish == "length"


def test_stop_strings_hold_even_when_the_endpoint_refuses_them(server, ask):
    server.piece = 3
    server.usual = lambda exchange: (
        failing(400, "Unrecognized request argument supplied: stop")(exchange)
        if "stop" in exchange.call.body
        else normal()(exchange)
    )
    _, stream = ask(server, limits=SayLimits(stop=("grows;",)))
    assert stream.reply.text == "The snake moves, eats and "
    assert stream.reply.finish == "stop"
    assert len(server.calls) == 2


def test_characters_split_between_chunks_are_whole_again(server, ask):
    def split(exchange):
        exchange.start_stream()
        for half in ("a \ud83d", "\udc0d b"):
            exchange.delta(half)
        exchange.delta(finish="stop")
        exchange.end_stream()

    server.next(split)
    _, stream = ask(server, text="broken \ud83d half")
    assert stream.reply.text == "a 🐍 b"


@pytest.mark.parametrize(
    "event",
    [
        {"choices": "none"},
        {"choices": [None]},
        {"choices": [{"delta": "text"}]},
        {"choices": [{"delta": {"content": 7}}]},
        {"choices": [], "usage": {"prompt_tokens": "many", "completion_tokens": -3}},
        {"choices": [], "usage": [1]},
        [1, 2],
        "text",
        7,
    ],
)
def test_strange_events_do_no_harm(server, ask, event, recwarn):
    def strange(exchange):
        exchange.start_stream()
        exchange.event(event)
        exchange.delta("fine", finish="stop")
        exchange.event(event)
        exchange.end_stream()

    server.next(strange)
    _, stream = ask(server)
    assert stream.reply.text == "fine"
    assert stream.reply.usage.prompt_tokens > 0
    assert not recwarn.list


def test_content_in_parts_and_reasoning_beside_it(server, ask):
    def parts(exchange):
        exchange.start_stream()
        exchange.event({"choices": [{"delta": {"reasoning_content": "hmm", "content": None}}]})
        exchange.delta([{"type": "text", "text": "Good"}], finish="stop")
        exchange.end_stream()

    server.next(parts)
    assert ask(server)[1].reply.text == "Good"


def test_a_reply_broken_off_by_the_reader_is_not_part_of_the_stream(server, connect):
    stream = connect(server).open("head")
    stream.hear("Hi")
    said = stream.say(SayLimits())
    next(said)
    said.close()
    assert "".join(stream.say(SayLimits())) == TEXT
    assert [m["role"] for m in server.calls[-1].messages] == ["system", "user"]


def test_sampling_is_sent_and_optional_fields_only_when_set(server, ask):
    ask(server)
    assert server.calls[0].body["temperature"] == 0
    assert not {"top_p", "top_k", "seed", "stop", "repetition_penalty"} & set(server.calls[0].body)
    ask(server, sampling=Sampling(temperature=0.7, top_p=0.9, top_k=40, repetition_penalty=1.1, seed=5))
    sent = server.calls[1].body
    assert (sent["temperature"], sent["top_p"], sent["top_k"], sent["seed"]) == (0.7, 0.9, 40, 5)
    assert sent["repetition_penalty"] == 1.1


def test_many_streams_at_once_do_not_mix(connect):
    from concurrent.futures import ThreadPoolExecutor

    with FakeOpenAI(lambda messages: f"echo {messages[-1]['content']} {messages[0]['content']}") as server:
        model = connect(server)

        def talk(index):
            stream = model.open(f"head {index}")
            texts = []
            for turn in range(3):
                stream.hear(f"turn {turn}")
                texts.append("".join(stream.say(SayLimits())))
            return texts

        with ThreadPoolExecutor(6) as pool:
            for index, texts in enumerate(pool.map(talk, range(12))):
                assert texts == [f"echo turn {turn} head {index}" for turn in range(3)]


def test_a_fork_goes_its_own_way(server, connect):
    stream = connect(server).open("head")
    stream.hear("One")
    list(stream.say(SayLimits()))
    other = stream.fork()
    other.hear("Two")
    list(other.say(SayLimits()))
    assert (len(stream.messages), len(other.messages)) == (2, 4)
    assert other.reply.mark.start == 3


def test_a_saved_dialogue_goes_on_in_another_process(server, connect, tmp_path):
    stream = connect(server).open("head")
    stream.hear("One")
    list(stream.say(SayLimits()))
    stream.save(tmp_path / "deep" / "s.json")
    again = connect(server).open("head")
    assert again.load(tmp_path / "deep" / "s.json")
    again.hear("Two")
    list(again.say(SayLimits()))
    assert [m["content"] for m in server.calls[-1].messages] == ["head", "One", TEXT, "Two"]


def test_a_snapshot_that_does_not_fit_changes_nothing(server, connect, tmp_path):
    stream = connect(server).open("head")
    stream.hear("One")
    stream.save(tmp_path / "s.json")
    other = connect(server).open("another head")
    assert not other.load(tmp_path / "s.json")
    assert not other.load(tmp_path / "missing.json")
    for text in ("", "{", "[]", '{"kind":"messages","head":"head","messages":[["user"]],"start":0}'):
        (tmp_path / "bad.json").write_text(text, encoding="utf-8")
        assert not stream.load(tmp_path / "bad.json")
    assert len(stream.messages) == 1
    assert other.messages == []


def test_recall_costs_nothing(server, connect):
    stream = connect(server).open("head")
    stream.hear("One")
    mark = stream.recall("Said before")
    assert stream.holds(mark)
    assert server.calls == []
    stream.hear("Two")
    list(stream.say(SayLimits()))
    assert [m["content"] for m in server.calls[0].messages] == ["head", "One", "Said before", "Two"]


def test_turns_of_one_side_are_joined(server, connect):
    """Many chat templates refuse two user messages in a row."""
    stream = connect(server).open("head")
    stream.hear("One")
    stream.hear("Two")
    list(stream.say(SayLimits()))
    assert server.calls[0].messages[1:] == [{"role": "user", "content": "One\n\nTwo"}]


def test_a_users_own_prices_win(tmp_path, server, ask):
    own = tmp_path / "prices.yaml"
    own.write_text("prices: {my-own-model: {price: [1, 1, 1]}}", encoding="utf-8")
    _, stream = ask(server, name="my-own-model-2026-01-31", prices=PriceTable.load(own))
    usage = stream.reply.usage
    assert usage.money == pytest.approx((usage.prompt_tokens + usage.completion_tokens) / 1e6)
