"""Keys and addresses: nothing secret is shown, and what is none is told."""

from __future__ import annotations

import pytest

from chatdev.llm.api import ApiModel
from chatdev.llm.base import SayLimits
from chatdev.llm.patience import Patience
from tests.fake_behaviours import (
    failing,
    wrong_key,
)
from tests.llm.conftest import KEY, told


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
