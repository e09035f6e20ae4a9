"""The journal: what was appended comes back, whatever happened to the last line."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatdev.errors import UserError
from chatdev.run.journal import Journal, read_events

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
DATA = st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True).map(lambda name: f"x_{name}"), JSON, max_size=4)


def _write(path, entries):
    journal = Journal.open(path)
    for number, data in enumerate(entries):
        journal.append("thing", f"key{number}", **data)
    journal.close()


@settings(max_examples=60)
@given(st.lists(DATA, max_size=5))
def test_what_is_appended_comes_back(tmp_path_factory, entries):
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    _write(path, entries)
    events, _ = read_events(path)
    assert [event.key for event in events] == [f"key{n}" for n in range(len(entries))]
    for event, data in zip(events, entries, strict=True):
        printable = json.loads(json.dumps(data, ensure_ascii=False).encode("utf-8", "backslashreplace"))
        assert event.data == printable


@settings(max_examples=60)
@given(st.lists(DATA, min_size=1, max_size=4), st.floats(0, 1))
def test_a_journal_cut_anywhere_keeps_every_whole_event(tmp_path_factory, entries, where):
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    _write(path, entries)
    whole = path.read_bytes()
    cut = round(where * len(whole))
    path.write_bytes(whole[:cut])
    journal = Journal.open(path)
    assert len(journal.events) == whole[:cut].count(b"\n")
    journal.append("after", "after")
    journal.close()
    events, size = read_events(path)
    assert events[-1].kind == "after"
    assert size == path.stat().st_size
    assert [event.id for event in events] == list(range(1, len(events) + 1))


def test_a_torn_line_is_kept_beside_the_journal(tmp_path):
    path = tmp_path / "journal.jsonl"
    _write(path, [{"x": 1}])
    with path.open("ab") as out:
        out.write(b'{"v":1,"id":2,"at":1.0,"kind":"sa')
    Journal.open(path).close()
    assert path.with_suffix(".torn").read_bytes() == b'{"v":1,"id":2,"at":1.0,"kind":"sa'


def test_damage_in_the_middle_is_told_with_its_line(tmp_path):
    path = tmp_path / "journal.jsonl"
    _write(path, [{"x": 1}, {"x": 2}, {"x": 3}])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"garbage\n" + lines[2])
    with pytest.raises(UserError, match=r"journal\.jsonl:2: the journal is damaged"):
        read_events(path)


def test_once_does_a_thing_once_over_two_lives(tmp_path):
    path = tmp_path / "journal.jsonl"
    calls = []

    def make():
        calls.append(1)
        return {"value": len(calls)}

    first = Journal.open(path)
    assert first.once("paid", "reply1", make)["value"] == 1
    first.close()
    second = Journal.open(path)
    assert second.once("paid", "reply1", make)["value"] == 1
    second.close()
    assert calls == [1]


def test_readers_hear_every_new_event(tmp_path):
    journal = Journal.open(tmp_path / "journal.jsonl")
    heard = []
    journal.subscribe(heard.append)
    journal.append("words", text="hello")
    journal.append("said", "a", text="hello")
    journal.close()
    assert [event.kind for event in heard] == ["words", "said"]
