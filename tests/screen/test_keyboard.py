"""From keys to lines, whatever somebody types or pastes."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdev.screen.keyboard import LONGEST, LineEditor
from chatdev.screen.typing import Speech


def entries(chunks):
    """All complete entries of some chunks of keys, and what is still being typed."""
    editor, found = LineEditor(), []
    for keys in chunks:
        while keys:
            complete, entry, keys = editor.feed(keys)
            if complete:
                found.append(entry)
    return found, editor.text


@pytest.mark.parametrize(
    ("keys", "made"),
    [
        ("hello\n", ["hello"]),
        ("hellp\x7fo\r", ["hello"]),
        ("wrong\x15right\n", ["right"]),
        ("two words\x17\x17one\n", ["one"]),
        ("left\x1b[D\x1b[1;5C\x1bOA\x1b[3~ over\n", ["left over"]),
        ("\x1bxalt\n", ["alt"]),
        ("\x1b[200~one\ntwo\r\x1b[201~three\n", ["one\ntwo\nthree"]),
        ("\x04", [None]),
        ("a\x04b\n", ["ab"]),
        ("tab\there \x07\x00\n", ["tab\there "]),
        ("caf\u00e9 \U0001f40d\n\n", ["caf\u00e9 \U0001f40d", ""]),
    ],
)
def test_keys_become_entries(keys, made):
    assert entries([keys]) == (made, "")


KEYS = st.text(st.sampled_from("ab \n\r\x7f\x15\x17\x04\x1b[O~;01256Dé🐍\t\x00"), max_size=60)


@given(KEYS, st.lists(st.integers(0, 60)))
def test_it_does_not_matter_how_the_keys_arrive(keys, cuts):
    places = sorted({min(cut, len(keys)) for cut in cuts} | {0, len(keys)})
    chunks = [keys[a:b] for a, b in itertools.pairwise(places)]
    assert entries(chunks) == entries([keys])


@given(st.text())
def test_no_key_of_a_terminals_own_gets_into_an_entry(keys):
    found, rest = entries([keys])
    assert all(char.isprintable() or char in "\n\t" for text in [*found, rest] if text for char in text)


def test_an_endless_line_is_cut_and_said():
    editor = LineEditor()
    complete, entry, _ = editor.feed("x" * (LONGEST + 5) + "\n")
    assert complete
    assert (len(entry), editor.cut) == (LONGEST, True)


class Letters:
    def __init__(self):
        self.sent = []
        self.put = self.sent.append


@pytest.mark.parametrize(
    ("typed", "to", "text"),
    [
        ("make it blue", "", "make it blue"),
        ("@programmer make it blue", "programmer", "make it blue"),
        ("@Programmer: make it blue", "programmer", "make it blue"),
        ("  @all,\nstop guessing ", "all", "stop guessing"),
        ("mail me@programmer now", "", "mail me@programmer now"),
    ],
)
def test_a_message_names_whom_it_is_for(typed, to, text):
    letters = Letters()
    assert "next turn" in Speech(letters, {"programmer": "Programmer"}).send(typed)
    assert letters.sent == [{"kind": "message", "to": to, "text": text}]


@pytest.mark.parametrize("typed", ["", "   ", "@programmer", "@programmer  ", "@nobody hello"])
def test_what_says_nothing_or_is_for_nobody_is_not_sent(typed):
    letters = Letters()
    Speech(letters, {"programmer": "Programmer"}).send(typed)
    assert letters.sent == []
