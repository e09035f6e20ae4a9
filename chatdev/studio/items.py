"""What the page lists of a run, one item an event.

The lines of an item are the terminal's own (`screen.text.event_lines`), so that both show the same. Items hold the
event's data as it is; the page shows text as text only.
"""

from __future__ import annotations

from typing import Any

from chatdev.run.journal import Event
from chatdev.screen.text import event_lines, safe

SHOWN = frozenset(
    {"told", "said", "artifact", "asked", "answered", "message", "stopped", "run_ended", "life", "run_started"}
)
"""Kinds that the page shows even where the terminal has no line for them."""


def item_of(event: Event, titles: dict[str, str]) -> dict[str, Any] | None:
    """An event as the page lists it; None for one that shows nothing."""
    try:
        lines = [line.strip() for line in event_lines(event, titles)]
    except (KeyError, TypeError, AttributeError, ValueError):
        lines = [safe(f"({event.kind}: this event is damaged)")]
    if not lines and event.kind not in SHOWN and "unsaid" not in event.data:
        return None
    return {**event.data, "id": event.id, "at": event.at, "kind": event.kind, "key": event.key, "lines": lines}
