"""A task in numbered pieces: nothing of it is lost, nothing quoted is cut."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from chatdev.chain.pieces import LONGEST, numbered, pieces

WORDS = st.sampled_from(
    ["build", "a snake", "with walls", "and lives.", '"rock and roll, with X"', "\n- a", "named", "3,"]
)


def test_each_clause_of_a_task_has_a_line_of_its_own():
    assert numbered('Build a snake game named "Salt and Pepper, with care" in pygame, with 3 lives.\n- no walls') == (
        '1: Build a snake game\n2: named "Salt and Pepper, with care" in pygame,\n3: with 3 lives.\n4: - no walls'
    )


@given(st.lists(WORDS, max_size=30).map(" ".join))
def test_the_pieces_behind_one_another_are_the_task(task: str):
    found = pieces(task)
    assert "".join("".join(found).split()) == "".join(task.split())
    assert all(piece and piece == piece.strip() and "\n" not in piece for piece in found)
    for quoted in re.findall(r'"[^"]*"', task):
        assert any(quoted in piece for piece in found)


@given(st.text(max_size=300))
def test_any_text_can_be_cut(task: str):
    assert "".join("".join(pieces(task)).split()) == "".join(task.split())


def test_a_whole_specification_is_not_said_twice():
    assert pieces("a word, " * LONGEST) == []
