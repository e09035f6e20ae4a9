"""Texts on their way: stop strings, caps, broken characters, secrets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdev.errors import UserError
from chatdev.llm.prices import PriceTable
from chatdev.llm.redact import Redactor, shown_url
from chatdev.llm.reply_text import ReplyText
from chatdev.llm.tokens import clean, estimate_tokens

SECRET = "sk-proj-0123456789abcdefghijABCDEFGHIJ"


@given(st.lists(st.text("abX\n", max_size=6)), st.lists(st.text("abX\n", max_size=3), max_size=3))
def test_pieces_and_stops_give_the_same_as_the_whole_text(pieces, stops):
    text = ReplyText(tuple(stops))
    shown = [text.feed(piece) for piece in pieces] + [text.finish()]
    whole = "".join(pieces)
    cuts = [whole.find(stop) for stop in stops if stop and stop in whole]
    assert "".join(shown) == text.text == whole[: min(cuts, default=None)]
    assert (text.ended == "stop") == bool(cuts)


@given(st.lists(st.text(max_size=9)), st.integers(0, 20))
def test_the_cap_holds(pieces, most):
    text = ReplyText((), most)
    for piece in pieces:
        text.feed(piece)
    text.finish()
    whole = "".join(pieces)
    assert text.text == whole[:most]
    assert (text.ended == "length") == (len(whole) > most)


@given(st.text(st.characters(categories=["Lu", "Cs"]) | st.just("\U0001f40d")))
def test_whatever_comes_out_can_be_written(text):
    assert clean(text).encode("utf-8").decode("utf-8") == clean(text)
    reply = ReplyText()
    out = "".join(reply.feed(char) for char in text) + reply.finish()
    assert out == clean(text)


def test_estimates():
    assert [estimate_tokens("x" * n) for n in (0, 1, 4, 5)] == [0, 1, 1, 2]


@given(st.text(max_size=40), st.text(max_size=40), st.integers(0, len(SECRET) - 12), st.integers(12, len(SECRET)))
def test_no_stretch_of_the_key_gets_through(before, after, start, length):
    text = Redactor(SECRET)(f"{before}{SECRET[start : start + length]}{after}")
    assert not any(SECRET[i : i + 12] in text for i in range(len(SECRET) - 11))


@given(st.text("abc -.:/", max_size=80))
def test_text_without_secrets_is_left_alone(text):
    assert Redactor(SECRET)(text) == text


def test_things_that_look_like_keys_go_too():
    redact = Redactor(None)
    assert redact("Incorrect key: sk-abcd****************wxyz. See") == "Incorrect key: [key] See"
    assert "hunter2" not in redact("http://me:hunter2@host/v1")
    assert redact("the task-list of ask-me") == "the task-list of ask-me"


def test_prices_cover_dated_versions_and_nothing_else():
    table = PriceTable.load()
    mini = table.of("gpt-4o-mini")
    assert mini is not None
    assert table.of("gpt-4o-mini-2024-07-18") == mini
    assert table.of("gpt-4o-2024-08-06") == table.of("gpt-4o") != mini
    for name in ("gpt-4o-audio-preview", "gpt-oss:20b", "llama3", "gpt-4o-mini-tts", ""):
        assert table.of(name) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "prices: 3",
        "prices: {a: [1, 2]}",
        "prices: {a: {price: [1, 2, x]}}",
        "a: [",
        "prices: {a: [1, -2, 3]}",
    ],
)
def test_a_bad_price_table_is_told_with_its_name(tmp_path, text):
    own = tmp_path / "p.yaml"
    own.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"p\.yaml"):
        PriceTable.load(own)
    with pytest.raises(UserError, match="missing"):
        PriceTable.load(tmp_path / "missing.yaml")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://localhost:8000/v1", "http://localhost:8000/v1"),
        ("http://user:PASSWORD@host/v1", "http://[key]@host/v1"),
        ("http://PASSWORD@host:1/v1", "http://[key]@host:1/v1"),
        ("http://user:PASS@WORD@host/v1", "http://[key]@host/v1"),
        ("http://user:PASS/WORD@host/v1", "http://[key]@host/v1"),
        ("http://user:PASS?WORD@host/v1", "http://[key]@host/v1"),
        ("http://user:PASS WORD@host/v1", "http://[key]@host/v1"),
        ("user:PASSWORD@host/v1", "[key]@host/v1"),
        ("https://host/v1?api_key=PASSWORD", "https://host/v1?[key]"),
        ("https://host/accounts/@cf/v1", "https://host/accounts/@cf/v1"),
        ("no address", "no address"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_its_secrets(url, shown):
    assert shown_url(url) == shown


@given(st.text(), st.text("PASWORD@:/?#[]%", min_size=1), st.text(max_size=9))
def test_any_address_can_be_shown(scheme, secret, rest):
    assert isinstance(shown_url(f"{scheme}://{secret}@{rest}"), str)
    # Longer than what follows, so that it cannot stand there by chance.
    password = 10 * "PASSWORD"
    assert password not in shown_url(f"https://{password}@{rest}")
