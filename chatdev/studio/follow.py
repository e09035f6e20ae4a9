"""A run as server-sent events: what is new since an event's id, for as long as somebody listens.

    item    an event as the page lists it; carries the event's id, so a reader can go on after it
    words   a piece of a reply that is being said; carries its id as well
    state   where the run stands, after every batch of items, and when the run begins or ends to be at work
    progress, reset (the journal was replaced: load everything anew), gone (the product was deleted)

The journal's file is looked at ten times a second; nothing is pushed between processes, so a run needs no studio and
any number of pages may watch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.concurrency import run_in_threadpool

from chatdev.studio.catalogue import Run
from chatdev.studio.items import item_of
from chatdev.studio.plain_json import encode

EVERY = 0.1
"""Seconds between two looks."""
HEARTBEAT = 10.0
"""Seconds after which a silent stream says that it lives."""
LOCK_EVERY = 1.0
"""Seconds between two looks at who is at work."""


PIECE = 200_000
"""Bytes that are sent in one piece; whoever reads slowly is waited for in between, and nothing piles up."""


def message(kind: str, data: Any, number: int | None = None) -> bytes:
    """One server-sent event."""
    head = f"id: {number}\n" if number is not None else ""
    return b"%sevent: %s\ndata: %s\n\n" % (head.encode(), kind.encode(), encode(data))


async def follow(run: Run, last: int) -> AsyncIterator[bytes]:
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
        if run.feed.gone:
            yield message("gone", {})
            return
        parts: list[bytes] = []
        changed, size, fresh = False, 0, run.feed.after(last)
        for event in fresh:
            last = event.id
            if event.kind == "words":
                parts.append(message("words", {"agent": event.get("agent"), "text": event.get("text", "")}, event.id))
            elif event.kind == "progress":
                parts.append(message("progress", {"what": event.get("what"), "done": event.get("done")}, event.id))
            else:
                changed = True
                item = item_of(event, run.titles)
                parts.append(message("item", item, event.id) if item is not None else b"")
            size += len(parts[-1])
            if size > PIECE:
                break
        now = time.monotonic()
        if changed or now - looked > LOCK_EVERY:
            looked = now
            state = await run_in_threadpool(run.state)
            if changed or state["at_work"] != at_work:
                at_work = state["at_work"]
                parts.append(message("state", state))
        if piece := b"".join(parts):
            told = now
            yield piece
        elif now - told > HEARTBEAT:
            told = now
            yield b": still here\n\n"
        if size <= PIECE:
            await asyncio.sleep(EVERY)
