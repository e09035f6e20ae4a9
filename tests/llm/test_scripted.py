"""Recorded replies: order, matching, resuming."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdev.errors import UserError
from chatdev.llm.base import SayLimits
from chatdev.llm.script_file import Entry, Script, read_script
from chatdev.llm.scripted import ScriptedModel

SCRIPT = """
name: demo
about: |
  A demonstration.
  More about it.
replies:
  - first
  - hears: ^Please review$
    head: Reviewer
    say: |
      One finding.

          indented, kept
  - hears: review
    say: Nothing found.
    times: 2
  - second
  - hears: '[Aa]gain'
    say: as always
    times: always
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "demo.yaml"
    file.write_text(SCRIPT, encoding="utf-8")
    return file


@pytest.fixture
def model(path):
    return ScriptedModel(path)


def ask(stream, text, **limits) -> str:
    stream.hear(text)
    said = "".join(stream.say(SayLimits(**limits)))
    assert said == stream.reply.text
    return said


def test_plain_replies_come_in_order_and_matching_ones_when_heard(model):
    coder, reviewer = model.open("Programmer"), model.open("Code Reviewer")
    assert ask(coder, "Please review") == "first"
    assert ask(coder, "a review") == "Nothing found."
    assert ask(reviewer, "Here it is.\nPlease review\nThanks") == "One finding.\n\n    indented, kept\n"
    assert ask(reviewer, "review") == "Nothing found."
    assert ask(reviewer, "review") == "second"
    assert [ask(coder, "again"), ask(reviewer, "Again")] == ["as always", "as always"]


def test_nothing_that_fits_names_script_and_what_was_heard(model, path):
    stream = model.open("head")
    for _ in range(2):
        ask(stream, "hello")
    stream.hear("\n  What now?  \nsecond line")
    with pytest.raises(UserError) as caught:
        list(stream.say(SayLimits()))
    assert str(path) in str(caught.value)
    assert "What now?" in str(caught.value)
    assert "second line" not in str(caught.value)


def test_it_is_named_as_what_it_is_and_paid_with_nothing(model):
    assert model.name == "scripted:demo"
    assert "recorded replies, no model" in model.describe()
    assert "A demonstration." in model.describe()
    stream = model.open("x" * 40)
    ask(stream, "y" * 8)
    usage = stream.reply.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.money) == (12, 2, 0.0)
    assert usage.estimated
    ask(stream, "z" * 4)
    assert stream.reply.usage.prompt_tokens == 1


def test_a_script_may_count_like_an_endpoint():
    model = ScriptedModel(Script("s", "s", "", (Entry("abcd", times=None),), resends=True))
    stream = model.open("x" * 40)
    ask(stream, "y" * 8)
    ask(stream, "z" * 4)
    assert model.resends
    assert stream.reply.usage.prompt_tokens == 10 + 2 + 1 + 1


def test_replies_come_in_words(model):
    stream = model.open("Reviewer")
    ask(stream, "x")
    stream.hear("Please review")
    assert list(stream.say(SayLimits()))[:2] == ["One ", "finding.\n\n    "]


def test_limits_hold(path):
    assert ask(ScriptedModel(path).open(""), "x", tokens=1) == "firs"
    stream = ScriptedModel(path).open("")
    stream.hear("x")
    assert "".join(stream.say(SayLimits(tokens=1))) == "firs"
    assert stream.reply.finish == "length"
    assert ask(ScriptedModel(path).open(""), "x", stop=("r",)) == "fi"


def test_a_reply_broken_off_is_played_again(model):
    stream = model.open("")
    stream.hear("x")
    said = stream.say(SayLimits())
    next(said)
    said.close()
    assert "".join(stream.say(SayLimits())) == "first"
    assert len(stream.said) == 2


def test_recall_uses_up_what_was_said_before(path):
    again = ScriptedModel(path)
    stream = again.open("Code Reviewer")
    stream.hear("go")
    stream.recall("first")
    stream.hear("review")
    mark = stream.recall("Nothing found.")
    assert stream.holds(mark)
    assert ask(stream, "review") == "Nothing found."
    assert ask(stream, "go") == "second"


def test_recall_of_a_cut_reply_and_of_one_that_is_no_longer_in_the_script(path):
    stream = ScriptedModel(path).open("")
    stream.hear("go")
    stream.recall("fir")
    stream.hear("go")
    stream.recall("this was never in it")
    assert ask(stream, "go") == "second"


def test_a_snapshot_restores_dialogue_and_consumption(path, tmp_path):
    old = ScriptedModel(path)
    one, two = old.open("A"), old.open("B")
    ask(one, "x")
    ask(two, "review")
    one.save(tmp_path / "one.json")
    two.save(tmp_path / "two.json")
    new = ScriptedModel(path)
    first, second = new.open("A"), new.open("B")
    assert first.load(tmp_path / "one.json")
    assert second.load(tmp_path / "two.json")
    assert first.load(tmp_path / "one.json")
    assert first.said == one.said
    assert ask(second, "review") == "Nothing found."
    assert ask(first, "x") == "second"
    assert not first.load(tmp_path / "two.json")
    (tmp_path / "bad.json").write_text('{"kind": "scripted", "script": "demo", "head": "A"}', encoding="utf-8")
    assert not first.load(tmp_path / "bad.json")


def test_a_fork_shares_the_script_but_not_the_dialogue(model):
    stream = model.open("")
    ask(stream, "x")
    other = stream.fork()
    assert ask(other, "x") == "second"
    assert (len(stream.said), len(other.said)) == (2, 4)


def test_every_entry_is_played_once_however_many_ask_at_once():
    model = ScriptedModel(Script("s", "s", "", tuple(Entry(f"reply {i}") for i in range(200))))

    def talk(_):
        stream = model.open("")
        return [ask(stream, "x") for _ in range(20)]

    with ThreadPoolExecutor(10) as pool:
        said = [text for texts in pool.map(talk, range(10)) for text in texts]
    assert sorted(said) == sorted(f"reply {i}" for i in range(200))


@given(st.text())
def test_any_text_is_said_as_it_is_written(text):
    model = ScriptedModel(Script("s", "s", "", (Entry(text),)))
    assert ask(model.open(""), "x", tokens=10_000) == text.encode("utf-8", "replace").decode("utf-8")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "list `replies`"),
        ("replies: []", "list `replies`"),
        ("replies: [a]\nreply: b", "unknown key 'reply'"),
        ("name: x\nreplies:\n  - ok\n  - no", ":4: reply 2"),
        ("replies:\n  - say: x\n    hear: y", "unknown key 'hear'"),
        ("replies:\n  - hears: '('\n    say: x", "not a regular expression"),
        ("replies:\n  - hears: a", "`say`"),
        ("replies:\n  - say: a\n    times: 0", "`times`"),
        ("replies:\n  - a\n - b", ":3: not valid YAML"),
        ("replies: [!!python/object/apply:os.system [true]]", "not valid YAML"),
        ("resends: maybe\nreplies: [a]", "resends"),
        ("\x00", "not valid YAML"),
        ("replies: [2024-99-99]", "not valid YAML"),
        ("replies: " + "[" * 5000, "not valid YAML"),
    ],
)
def test_a_bad_script_is_told_with_file_and_line(tmp_path, text, told):
    file = tmp_path / "bad.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_script(file)
    assert told in str(caught.value)
    assert "bad.yaml" in str(caught.value)


def test_a_missing_or_binary_script(tmp_path):
    with pytest.raises(UserError, match="no such script"):
        read_script(tmp_path / "none.yaml")
    (tmp_path / "b.yaml").write_bytes(random.Random(1).randbytes(100))
    with pytest.raises(UserError, match=r"b\.yaml"):
        read_script(tmp_path / "b.yaml")
