"""Going back and forth: what counts is what a person would expect, and nothing is ever taken out of the journal."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatdev.errors import UserError
from chatdev.run.journal import RIDING, Journal, first_of, read_events
from chatdev.run.past import counting, gone_back

MOVES = st.lists(st.sampled_from(["add", "add", "add", "undo", "redo"]) | st.integers(0, 9), max_size=40)


@settings(max_examples=200)
@given(MOVES)
def test_what_counts_after_any_going_back_and_forth(tmp_path_factory, moves):
    path = tmp_path_factory.mktemp("past") / "journal.jsonl"
    journal = Journal.open(path)
    live, taken, depth = [], [], 0
    for move in moves:
        if move == "redo":
            if not taken:
                continue
            live, undone = taken.pop()
            journal.append("redone", undo=undone)
        elif move == "undo" or isinstance(move, int):
            if not live:
                continue
            at = move % len(live) if isinstance(move, int) else len(live) - 1
            before, since = list(live), live[at]
            live = live[:at]
            taken.append((before, journal.append("undone", since=since).id))
        else:
            depth += 1
            live = [*live, journal.append("thing", f"key{depth}").id]
            taken = []  # whoever goes on cannot take the going back back
    assert [event.id for event in journal.of_kind("thing")] == live
    assert [event.id for event in journal.events] == list(range(1, len(journal.events) + 1))
    there = {event.key for event in journal.of_kind("thing")}
    assert all((journal.recorded(f"key{n}") is not None) == (f"key{n}" in there) for n in range(1, depth + 1))
    journal.close()
    again = Journal.open(path)
    assert [event.id for event in again.of_kind("thing")] == live
    assert again.events == journal.events
    assert len(gone_back(again.events)) <= sum(event.kind == "undone" for event in again.events)
    again.close()


def test_a_key_that_was_undone_can_be_written_anew(tmp_path):
    journal = Journal.open(tmp_path / "journal.jsonl")
    first = journal.append("said", "a", text="one")
    journal.append("undone", since=first.id)
    assert journal.recorded("a") is None
    assert journal.once("said", "a", lambda: {"text": "two"})["text"] == "two"
    assert [event["text"] for event in counting(journal.events) if event.kind == "said"] == ["two"]
    journal.close()


def test_a_going_back_that_does_not_say_how_far_is_damage(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_text('{"v":1,"id":1,"at":1,"kind":"undone"}\n{"v":1,"id":2,"at":1,"kind":"said","key":"a"}\n', "utf-8")
    with pytest.raises(UserError, match=r"journal\.jsonl:1: the journal is damaged \(it does not say how far"):
        read_events(path)


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(["words", "told", "rung", "said", "committed"]), min_size=1, max_size=12),
    st.integers(0, 11),
    st.sampled_from([b"", b"\0" * 20, b'{"v":1,"id":', b"[" * 30, b"\xff\xfe"]),
)
def test_damage_that_a_power_cut_can_do_is_cut_off_and_other_damage_is_told(tmp_path_factory, kinds, at, damage):
    path = tmp_path_factory.mktemp("torn") / "journal.jsonl"
    journal = Journal.open(path)
    for number, kind in enumerate(kinds):
        journal.append(kind, f"key{number}")
    journal.close()
    lines = path.read_bytes().splitlines()
    at %= len(lines)
    path.write_bytes(b"\n".join([*lines[:at], damage, *lines[at + 1 :]]) + b"\n")
    if any(kind not in RIDING for kind in kinds[at + 1 :]):
        with pytest.raises(UserError, match="damaged"):
            Journal.open(path)
        return
    again = Journal.open(path)
    assert [event.kind for event in again.events] == kinds[:at]
    again.append("said", "after")
    again.close()
    assert read_events(path)[1] == path.stat().st_size
    assert path.with_suffix(".torn").exists()


@given(st.lists(st.text(max_size=30), max_size=8))
def test_reading_all_at_once_and_one_by_one_is_the_same(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("both") / "journal.jsonl"
    journal = Journal.open(path)
    for number, text in enumerate(texts):
        journal.append("words", None if number % 2 else f"k{number}", text=text)
    journal.close()
    whole = read_events(path)[0]
    with path.open("ab") as out:
        out.write(b"damage\n")
    assert read_events(path)[0] == whole
    if whole:
        assert first_of(path, "words") == whole[0]
    assert first_of(path, "nothing") is None
