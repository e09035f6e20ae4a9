"""Looking back for the page: the steps of a run, who wrote a line, and where two runs part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatdev.run.past import counting
from chatdev.run.product import Product
from chatdev.run.steps import steps_of
from chatdev.screen.text import speaker
from chatdev.studio.catalogue import Run
from chatdev.studio.paint import read_patch

if TYPE_CHECKING:
    from chatdev.chain.parting import Side

MOST_LINES = 600
"""Lines of words that two runs differ in."""
LARGEST_PATCH = 2_000_000
LONGEST = 20_000
"""Characters of one text of the dialogue behind a line."""


def steps(run: Run) -> dict[str, Any]:
    """The steps that count now, in the order they were begun."""
    try:
        found = steps_of(counting(run.feed.until(1 << 60)))
    except (KeyError, TypeError, ValueError):  # a damaged event; the page says so elsewhere
        found = []
    return {"steps": [{"path": one.path, "label": one.label, "id": one.started} for one in found]}


def who_wrote(product: Product, place: str, titles: dict[str, str]) -> dict[str, Any]:
    """The commit of a line (`FILE:LINE`) and the dialogue that led to it.

    Raises:
        UserError: that is no place in the product's files.
    """
    from chatdev.chain.blame import blame

    found = blame(product, place)
    commit = found.commit
    return {
        "path": found.path,
        "line": found.line,
        "text": found.text,
        "commit": commit and {"sha": commit.sha, "author": commit.author, "message": commit.message},
        "by_hand": commit is not None and commit.trailers.get("Phase") == "hand",
        "dialogue": [
            {
                "id": event.id,
                "kind": event.kind,
                "who": speaker(titles, str(event.get("by" if event.kind == "told" else "agent") or "human")),
                "text": str(event.get("text", ""))[:LONGEST],
            }
            for event in found.dialogue
        ],
    }


def where_they_part(a: Product, b: Product) -> dict[str, Any]:
    """Two runs compared, in words and in code.

    Raises:
        UserError: a journal or a repository cannot be read.
    """
    from chatdev.chain.parting import parting

    found = parting(a, b)
    return {
        "same": found.same,
        "replies": found.replies,
        "a": _side(found.a),
        "b": _side(found.b),
        "words": found.words[:MOST_LINES],
        "cut": len(found.words) > MOST_LINES or len(found.patch) > LARGEST_PATCH,
        "commit": found.commit,
        "files": [{"path": path, "added": added, "removed": removed} for added, removed, path in found.files],
        "patch": read_patch(found.patch[:LARGEST_PATCH]),
    }


def _side(side: Side) -> dict[str, Any]:
    from chatdev.chain.parting import where

    return {
        "name": side.name,
        "where": where(side),
        "id": side.event.id if side.event is not None else None,
        "steps": side.steps,
        "replies": side.replies,
    }
