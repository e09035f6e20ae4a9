"""What a run's report says of its windows."""

from types import SimpleNamespace

import pytest

from chatdev.run.report import _window


@pytest.mark.parametrize(
    ("states", "told"),
    [
        ([{"window": 1152}, {"window": 1152}], 1152),
        ([{"window": 2048}, {"window": 1152}], 0),
        ([{"window": 1152}, None], 0),
        ([{"window": True}], 0),
        ([], 0),
    ],
)
def test_a_window_is_told_where_all_streams_have_the_same(states, told):
    journal = SimpleNamespace(of_kind=lambda kind: [{"window": state} for state in states])
    assert _window(journal) == told
