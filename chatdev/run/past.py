"""Which part of the past counts: going back and forth in a journal without taking anything out of it.

    undone {"since": 40}     the events from 40 up to this one no longer count
    redone {"undo": 61}      the going back at event 61 is taken back

A going back that was itself gone back behind has no effect of its own, nor has a taking back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatdev.run.journal import Event

BACK_AND_FORTH = {"undone": "since", "redone": "undo"}
"""The kinds of events that change what counts, and the number each must hold."""

Span = tuple[int, int]
"""Ids of events, the first inside, the last outside."""


def gone_back(events: list[Event]) -> dict[int, Span]:
    """The goings back that hold now: by the id of the `undone` event, the span that does not count."""
    spans: dict[int, Span] = {}
    taken_back: set[int] = set()
    for event in reversed([event for event in events if event.kind in BACK_AND_FORTH]):
        if _inside(event.id, spans.values()):
            continue
        if event.kind == "redone":
            taken_back.add(int(event["undo"]))
        elif event.id not in taken_back:
            spans[event.id] = (int(event["since"]), event.id)
    return spans


def counting(events: list[Event]) -> list[Event]:
    """The events that count now, in order; the marks of going back and forth among them."""
    spans = gone_back(events).values()
    return [event for event in events if not _inside(event.id, spans)] if spans else events


def _inside(number: int, spans: Iterable[Span]) -> bool:
    return any(first <= number < last for first, last in spans)
