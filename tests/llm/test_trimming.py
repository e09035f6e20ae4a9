"""Which messages are sent: properties that hold for every dialogue."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from chatdev.llm.messages import Message, to_wire
from chatdev.llm.tokens import estimate_tokens
from chatdev.llm.trimming import OVERHEAD, SMALLEST, cost, cut_middle, fit

HEAD = Message("system", "You are a programmer.")
texts = st.text(max_size=60) | st.integers(0, 3000).map(lambda n: "x" * n)
dialogues = st.lists(st.builds(Message, st.sampled_from(["user", "assistant"]), texts), max_size=20)


@given(dialogues, st.integers(0, 2000), st.integers(0, 30), texts)
def test_head_and_newest_stay_and_the_budget_holds(messages, budget, start, head):
    pinned = Message("system", head)
    fitted = fit(pinned, messages, budget, estimate_tokens, start)
    if not messages:
        assert fitted.messages == ()
        return
    heard = [i for i, message in enumerate(messages) if message.role == "user"]
    newest = heard[-1] if heard else len(messages) - 1
    assert fitted.start <= newest
    assert len(fitted.messages) == len(messages) - fitted.start
    for offset, message in enumerate(fitted.messages):
        original = messages[fitted.start + offset]
        assert message.role == original.role
        assert (message == original) or (fitted.start + offset) in fitted.cut
    least = cost([pinned], estimate_tokens) + (SMALLEST + OVERHEAD) * (len(messages) - newest)
    assert cost([pinned, *fitted.messages], estimate_tokens) <= max(budget, least)


@given(dialogues, st.integers(0, 2000), st.integers(0, 30))
def test_only_what_cannot_fit_otherwise_is_cut(messages, budget, start):
    fitted = fit(HEAD, messages, budget, estimate_tokens, start)
    if fitted.cut:
        heard = [i for i, message in enumerate(messages) if message.role == "user"]
        newest = heard[-1] if heard else len(messages) - 1
        assert cost([HEAD, *messages[newest:]], estimate_tokens) > budget


@given(dialogues)
def test_without_a_budget_everything_is_sent(messages):
    assert fit(HEAD, messages, None, estimate_tokens).messages == tuple(messages)


@given(dialogues, st.integers(50, 2000))
def test_what_was_dropped_stays_dropped_and_sending_again_changes_nothing(messages, budget):
    once = fit(HEAD, messages, budget, estimate_tokens)
    again = fit(HEAD, messages, budget, estimate_tokens, once.start)
    assert again == once


@given(st.text(min_size=200, max_size=5000), st.integers(SMALLEST, 1500))
def test_a_cut_text_keeps_both_ends_and_says_what_is_missing(text, tokens):
    short = cut_middle(text, tokens, estimate_tokens)
    assert estimate_tokens(short) <= tokens
    before, middle, after = short.partition("\n[… ")
    if middle:
        count, _, after = after.partition(" characters are left out here: too long for this model's window …]\n")
        assert text.startswith(before)
        assert text.endswith(after)
        assert len(before) + int(count) + len(after) == len(text)
    else:
        assert short == text


@given(dialogues, st.booleans())
def test_roles_alternate_on_the_wire(messages, system_role):
    wire = to_wire("head", messages, system_role=system_role)
    roles = [message["role"] for message in wire]
    assert all(one != next_one for one, next_one in pairwise(roles))
    assert wire[0]["content"].startswith("head")
