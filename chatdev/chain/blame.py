"""Who said what so that a line stands as it does: from the line to its commit, from its trailers to the dialogue."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from chatdev.errors import UserError
from chatdev.run.journal import Event, read_events
from chatdev.run.past import counting
from chatdev.run.product import Product
from chatdev.software.commits import Commit
from chatdev.software.history import History


@dataclass(frozen=True)
class Blame:
    """One line and where it comes from."""

    path: str
    line: int
    text: str
    commit: Commit | None
    """None for a line that was never committed."""
    dialogue: list[Event] = field(default_factory=list)
    """What was told and said in the step that made the commit, up to it; empty when no dialogue of this run did."""


def blame(product: Product, place: str) -> Blame:
    """Look up `FILE:LINE` of a product, lines counted from 1.

    Raises:
        UserError: that is no place in the product's files.
    """
    match = re.fullmatch(r"(.+):(\d{1,9})", place)
    if not match:
        raise UserError(f'"{place}" is not FILE:LINE', fix="Example: --blame main.py:12")
    path, number = match[1].removeprefix("./"), int(match[2])
    history = History(product.root)
    if history.head() is None:
        raise UserError("there is no commit yet", where=str(product.root))
    options = ("blame", "--porcelain", "-L", f"{number},{number}", "--", path)
    done = history.git.run(*options, ok=(0, 128))
    if done.returncode:
        why = done.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ").splitlines() or ["not there"]
        raise UserError(why[0], where=f"{product.root / path}:{number}", fix="Name a file of the product and its line")
    head, *rest = done.stdout.decode("utf-8", "replace").split("\n")
    text = next((line[1:] for line in rest if line.startswith("\t")), "")
    sha = head.split(" ", 1)[0]
    if not sha.strip("0"):
        return Blame(path, number, text, None)
    commit = history.commit_of(sha)
    return Blame(path, number, text, commit, _dialogue(product, commit.trailers.get("Journal", "")))


def _dialogue(product: Product, key: str) -> list[Event]:
    """What the journal holds of the step of a `committed` event, from its beginning up to that event."""
    events = counting(read_events(product.journal)[0])
    end = next((at for at in range(len(events) - 1, -1, -1) if events[at].key == key), None) if key else None
    if end is None:
        return []
    step = key.rpartition("/")[0]
    spoken = [event for event in events[:end] if event.kind in ("told", "said", "answered", "message")]
    return [event for event in spoken if (event.key or "").startswith(f"{step}/") or event.get("step") == step]
