"""Properties of the eviction bookkeeping, checked against a list that really drops tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdev.llm.local.window import Window


@st.composite
def windows(draw):
    window = draw(st.integers(1, 40))
    block = draw(st.integers(1, window))
    sinks = draw(st.integers(0, 9))
    slack = draw(st.integers(0, 60))
    return Window(sinks, window, block, sinks + window + block + slack)


def step(w: Window, n: int, columns: list[int | None]) -> list[int | None]:
    """Carry out begin(n)/commit(n) on a list of columns that holds the tokens' numbers."""
    start, held, seen = w.start, w.held, w.seen
    moves = w.begin(n)
    sinks = columns[start : start + w.sinks]
    first = start + moves.evict
    if moves.evict:
        columns[first : first + w.sinks] = sinks
    if moves.compact:
        kept = columns[first : first + held - moves.evict]
        columns = kept + [None] * (w.capacity - len(kept))
    at = w.start + w.held
    assert at + n <= w.capacity
    columns[at : at + n] = range(seen, seen + n)
    w.commit(n)
    return columns


@given(windows(), st.lists(st.integers(1, 60), max_size=60), st.data())
def test_held_tokens_depend_on_the_count_alone_and_lie_side_by_side(w, sizes, data):
    simple: list[int] = []
    columns: list[int | None] = [None] * w.capacity
    for size in sizes:
        n = min(size, w.room)
        spare = data.draw(st.integers(0, n - 1))
        columns = step(w, n, columns)
        w.step_back(spare)
        for token in range(w.seen - (n - spare), w.seen):
            if len(simple) >= w.sinks + w.window:
                del simple[w.sinks : w.sinks + w.block]
            simple.append(token)
        assert columns[w.start : w.start + w.held] == simple
        assert w.seen - w.offset <= w.limit, "a live position passed the limit"
        assert w.capacity == w.standard
        for token in range(w.seen):
            assert w.holds(token, token + 1) == (token in simple)


@given(windows(), st.lists(st.integers(1, 200), min_size=1, max_size=12))
def test_oversized_chunks_are_trimmed_to_the_same_state_by_the_next_token(w, sizes):
    exact = Window(w.sinks, w.window, w.block, w.limit)
    for n in sizes:
        for count in (n, 1):
            w.begin(count)
            w.commit(count)
        while exact.seen < w.seen:
            size = min(exact.room, w.seen - exact.seen)
            exact.begin(size)
            exact.commit(size)
        assert (w.evicted, w.held) == (exact.evicted, exact.held)
        assert w.evicted == w.gone(w.seen)


@given(windows(), st.integers(0, 400), st.integers(0, 400))
def test_what_will_be_held_is_known_before(w, first, upcoming):
    ahead = Window(w.sinks, w.window, w.block, w.limit)
    for target, state in ((first, w), (first + upcoming, ahead)):
        while state.seen < target:
            n = min(state.room, target - state.seen)
            state.begin(n)
            state.commit(n)
    for token in range(0, w.seen, 7):
        assert w.holds(token, token + 1, upcoming) == ahead.holds(token, token + 1)


@pytest.mark.parametrize(
    ("sinks", "window", "block", "limit"),
    [(-1, 4, 1, 99), (4, 0, 1, 99), (4, 8, 9, 99), (4, 8, 0, 99), (4, 8, 2, 13)],
)
def test_impossible_shapes_are_refused(sinks, window, block, limit):
    with pytest.raises(ValueError, match=r"window|block|positions"):
        Window(sinks, window, block, limit)
