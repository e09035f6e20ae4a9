"""What of a run is sent at once: pages of its dialogue, its newest commits, the moments of a replay.

A page is bounded in items and in characters, so that neither a run of a million events nor one of enormous replies
makes an answer that a browser cannot hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chatdev.run.journal import Event
from chatdev.studio.catalogue import Run
from chatdev.studio.items import item_of

PAGE = 120
"""Items of one page of the dialogue."""
HEAVIEST = 1_500_000
"""Characters of text of one page; a single item may be longer."""
MOST_COMMITS = 400
MOMENTS = frozenset({"step_started", "said", "committed", "checked", "answered", "stopped", "run_ended"})
"""Kinds at which the slider of a replay can stand."""

Item = dict[str, Any]


def before(run: Run, last: int) -> tuple[list[Item], bool]:
    """The last items before an id, oldest first, and whether there are earlier ones."""
    found, more = _page(reversed(run.feed.until(last - 1)), run)
    return found[::-1], more


def after(run: Run, last: int) -> list[Item]:
    """The first items after an id."""
    events = (event for event in run.feed.after(last) if event.kind not in ("words", "progress"))
    return _page(events, run)[0]


def _page(events: Iterable[Event], run: Run) -> tuple[list[Item], bool]:
    found: list[Item] = []
    weight = 0
    for event in events:
        item = item_of(event, run.titles)
        if item is None:
            continue
        weight += sum(len(one) for one in item.values() if isinstance(one, str))
        if found and (len(found) == PAGE or weight > HEAVIEST):
            return found, True
        found.append(item)
    return found, False


def moments(run: Run) -> dict[str, Any]:
    """Where the slider of a replay can stand: `[id, seconds since 1970, step]`."""
    found, step = [], ""
    for event in run.feed.until(1 << 60):
        step = str(event.get("step", "")) if event.kind == "step_started" else step
        if event.kind in MOMENTS:
            found.append([event.id, event.at, step])
    return {"moments": found}


def commits(run: Run) -> list[Item]:
    """The newest commits, oldest first."""
    made = [event for event in run.feed.until(1 << 60) if event.kind == "committed" and is_commit(event.data)]
    return [{**event.data, "id": event.id} for event in made[-MOST_COMMITS:]]


def is_commit(data: Item) -> bool:
    """Whether an event tells of files that changed, in the form in which this program writes it."""
    files = data.get("files")
    return (
        bool(data.get("sha"))
        and all(isinstance(data.get(name), str) for name in ("sha", "message"))
        and isinstance(files, list)
        and all(isinstance(one, dict) and isinstance(one.get("path"), str) for one in files)
    )
