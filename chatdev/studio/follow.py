"""A run as server-sent events: what is new since an event's id, for as long as somebody listens.

    item    an event as the page lists it; carries the event's id, so a reader can go on after it
    words   a piece of a reply that is being said; carries its id as well
    state   where the run stands, after every batch of items, and when the run begins or ends to be at work
    progress, reset (the journal was replaced: load everything anew)

The journal's file is looked at ten times a second; nothing is pushed between processes, so a run needs no studio and
any number of pages may watch.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.concurrency import run_in_threadpool

from chatdev.studio.catalogue import Run
from chatdev.studio.items import item_of

EVERY = 0.1
"""Seconds between two looks."""
HEARTBEAT = 10.0
"""Seconds after which a silent stream says that it lives."""
LOCK_EVERY = 1.0
"""Seconds between two looks at who is at work."""


def message(kind: str, data: Any, number: int | None = None) -> str:
    """One server-sent event."""
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


async def follow(run: Run, last: int) -> AsyncIterator[str]:
    """Everything after the event `last`, now and from now on."""
    generation = run.feed.generation
    told = 0.0
    at_work: bool | None = None
    looked = 0.0
    while True:
        await run_in_threadpool(run.refresh)
        if run.feed.generation != generation:
            yield message("reset", {})
            return
        parts: list[str] = []
        changed = False
        for event in run.feed.after(last):
            last = event.id
            if event.kind == "words":
                parts.append(message("words", {"agent": event.get("agent"), "text": event.get("text", "")}, event.id))
            elif event.kind == "progress":
                parts.append(message("progress", {"what": event.get("what"), "done": event.get("done")}, event.id))
            else:
                changed = True
                item = item_of(event, run.titles)
                if item is not None:
                    parts.append(message("item", item, event.id))
        now = time.monotonic()
        if changed or now - looked > LOCK_EVERY:
            looked = now
            state = await run_in_threadpool(run.state)
            if changed or state["at_work"] != at_work:
                at_work = state["at_work"]
                parts.append(message("state", state))
        if parts:
            told = now
            yield "".join(parts)
        elif now - told > HEARTBEAT:
            told = now
            yield ": still here\n\n"
        await asyncio.sleep(EVERY)
