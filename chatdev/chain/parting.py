"""Where two runs part: the first thing that was said otherwise, and what that came to in the code."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from itertools import zip_longest

from chatdev.run.journal import Event, read_events
from chatdev.run.past import counting
from chatdev.run.product import Product
from chatdev.run.steps import Step, steps_of
from chatdev.software.history import History

SPOKEN = ("told", "said", "answered", "message", "artifact")
"""Kinds whose text makes a run what it is."""


@dataclass(frozen=True)
class Side:
    """One of the two runs, from the place where they part."""

    name: str
    event: Event | None
    """The first thing that is different; None when this run ends there."""
    step: Step | None
    steps: list[str]
    """Labels of the steps that follow."""
    replies: int
    head: str | None


@dataclass(frozen=True)
class Parting:
    """Two runs, compared."""

    a: Side
    b: Side
    replies: int
    """Replies that are the same from the beginning on."""
    same: bool
    """Nothing was said otherwise."""
    words: list[str] = field(default_factory=list)
    """How the two texts differ, as lines of a patch."""
    commit: str | None = None
    """The newest commit that both have."""
    files: list[tuple[str, str, str]] = field(default_factory=list)
    """Lines added and removed from a to b, and the path."""
    patch: str = ""


def parting(a: Product, b: Product) -> Parting:
    """Compare two runs, forks of each other or not."""
    nows = [counting(read_events(product.journal)[0]) for product in (a, b)]
    spoken = [[event for event in now if event.kind in SPOKEN and event.key is not None] for now in nows]
    common = 0
    for one, other in zip_longest(*spoken):
        if one is None or other is None or (one.key, one["text"]) != (other.key, other["text"]):
            break
        common += 1
    histories = [History(product.root) for product in (a, b)]
    heads = [history.head() for history in histories]
    sides = [
        _side(product.name, now, events, common, head)
        for product, now, events, head in zip((a, b), nows, spoken, heads, strict=True)
    ]
    same = all(side.event is None for side in sides)
    said = sum(event.kind == "said" for event in spoken[0][:common])
    commit, files, patch = _code(histories[0], histories[1], heads[0], heads[1])
    return Parting(sides[0], sides[1], said, same, _words(sides[0].event, sides[1].event), commit, files, patch)


def where(side: Side) -> str:
    """In words: the step and what is said there, or with which step this run ends."""
    step = side.step.label if side.step is not None else "the beginning"
    if side.event is None:
        return f"ends with {step}"
    event = side.event
    what = {
        "told": f"{event.get('agent')} is told by {event.get('by')}",
        "said": f"{event.get('agent')} says",
        "answered": f"the person answers: {event.get('answer')}",
        "message": f"the customer says to {event.get('to')}",
        "artifact": f"{event.get('name')} becomes",
    }[event.kind]
    return f"{step}, {what} ({event.key})"


def _side(name: str, now: list[Event], spoken: list[Event], common: int, head: str | None) -> Side:
    event = spoken[common] if common < len(spoken) else None
    steps = steps_of(now)
    if event is None:
        return Side(name, None, steps[-1] if steps else None, [], 0, head)
    at = [step for step in steps if step.started <= event.id]
    after = [step.label for step in steps if step.started > event.id]
    replies = sum(one.kind == "said" for one in spoken[common:])
    return Side(name, event, at[-1] if at else None, after, replies, head)


def _words(one: Event | None, other: Event | None) -> list[str]:
    a, b = (event["text"].splitlines() if event is not None else [] for event in (one, other))
    return list(difflib.unified_diff(a, b, lineterm="", n=2))[2:]


def _code(
    a: History, b: History, head_a: str | None, head_b: str | None
) -> tuple[str | None, list[tuple[str, str, str]], str]:
    """The newest common commit, the changed files, and the patch from a to b; git reads both object stores."""
    if head_a is None or head_b is None:
        return None, [], ""
    quoted = str(b.git.folder / "objects").replace("\\", "\\\\").replace('"', '\\"')
    theirs = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{quoted}"'}
    in_b = b.reaches(head_b)
    common = next((sha for sha in a.git.text("rev-list", head_a, "--").split() if sha in in_b), None)
    options = ("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")
    counted = a.git.text(*options, "--numstat", "-z", head_a, head_b, "--", variables=theirs)
    files = [tuple(entry.split("\t", 2)) for entry in counted.split("\0") if entry.count("\t") >= 2]
    patch = a.git.text(*options, head_a, head_b, "--", variables=theirs)
    return common, files, patch  # type: ignore[return-value]
