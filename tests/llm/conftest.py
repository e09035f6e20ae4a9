from __future__ import annotations

import pytest

from chatdev.errors import UserError
from chatdev.llm.api import ApiModel
from chatdev.llm.base import SayLimits
from chatdev.llm.patience import Patience
from tests.fake_openai import FakeOpenAI, Waits

KEY = "sk-test-4f9Qm2xZ7bV1cN8k"


@pytest.fixture
def server():
    with FakeOpenAI("The snake moves, eats and grows; the walls end the game.") as running:
        yield running


@pytest.fixture
def waits():
    return Waits()


@pytest.fixture
def notices():
    return []


@pytest.fixture
def connect(waits, notices):
    """Opens models on a server, with short waits; closes them afterwards."""
    opened = []

    def open_one(server, name="fake-model", **options):
        options = {"patience": Patience(first=0.005, total=5.0), "read_timeout": 10.0} | options
        model = ApiModel(name, server.url, KEY, on_wait=waits, on_notice=notices.append, **options)
        opened.append(model)
        return model

    yield open_one
    for model in opened:
        model.close()


@pytest.fixture
def ask(connect):
    """One question to a fresh stream: `pieces, stream`."""

    def one(server, text="Write a snake game.", limits=None, **options):
        stream = connect(server, **options).open("You are a programmer.")
        stream.hear(text)
        pieces = list(stream.say(limits or SayLimits()))
        assert "".join(pieces) == stream.reply.text
        return pieces, stream

    return one


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
