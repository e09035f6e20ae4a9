"""The fast step is made while the first prompt runs, and no reply depends on when it was ready."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from chatdev.llm.base import SayLimits
from chatdev.llm.local.fast.forward import fast_forward
from tests.local.conftest import talker
from tests.local.zoo import make


def said(model, words):
    stream = model.open("You are a clerk.")
    stream.hear("word " * words)
    return "".join(stream.say(SayLimits(tokens=40)))


def test_a_long_prompt_does_not_wait_and_the_reply_is_the_same(kernels):
    ready, ran = threading.Event(), []
    model, prompt = talker("qwen3"), 30

    def make_late(check, on_prompt, say):
        def prompt_only(step):
            on_prompt(step)
            ready.wait(60)

        fast = fast_forward(model.network, "int8", on_prompt=prompt_only)
        say("the fast step is there")
        return fast

    told, waited = [], []
    model._on_notice = told.append
    model.quicken(make_late, waited.append)
    forward = model.forward

    def seen(ids, cache, rows):
        ran.append((ids.shape[1], ready.is_set()))
        if ids.shape[1] <= 32:
            ready.set()
        return forward(ids, cache, rows)

    model.forward = seen
    late = said(model, prompt)
    assert ran[0][0] > 32
    assert not ran[0][1]
    assert told == ["the fast step is there"]
    assert waited[-1] == 1.0
    early = talker("qwen3")
    early.quicken(lambda check, on_prompt, say: fast_forward(early.network, "int8", on_prompt=on_prompt))
    early.settle()
    assert said(early, prompt) == late
    assert said(talker("qwen3"), prompt) != late


def test_what_goes_wrong_is_raised_where_it_is_needed():
    model = talker()

    def broken(check, on_prompt, say):
        raise MemoryError("too large")

    model.quicken(broken)
    with pytest.raises(MemoryError, match="too large"):
        said(model, 30)
    model.close()


def test_closing_gives_up_what_is_not_ready():
    model, parts = talker(), []

    def endless(check, on_prompt, say):
        while True:
            parts.append(1)
            check(0.5)
            time.sleep(0.01)

    model.quicken(endless)
    model.close()
    assert parts
    assert not any(thread.name == "packing" for thread in threading.enumerate())


def test_a_process_that_ends_meanwhile_ends_at_once():
    code = (
        "import time; from chatdev.llm.local.fast.background import Background\n"
        "def make(check, on_prompt):\n"
        "    while True: check(0.1); time.sleep(0.01)\n"
        "Background(None, make)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_packing_says_how_far_it_is(kernels):
    shares = []
    assert fast_forward(make("llama"), "int8", check=shares.append) is not None
    assert shares == sorted(shares)
    assert len(shares) == make("llama").config.num_hidden_layers
