"""Going back one step, and forth again. Nothing is destroyed.

The journal is not cut: an `undone` event says what no longer counts (see `run.past`), and resuming goes on from before
it. The branch of the software moves back; where it stood is kept as the branch `undone/1`, `undone/2` …, tags of the
undone steps included. The intent is journaled first and `moved` afterwards, so what a crash leaves half done is
finished when the product is next opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from chatdev.errors import UserError
from chatdev.run.files import write_json
from chatdev.run.journal import Journal
from chatdev.run.ledger import Ledger
from chatdev.run.lock import ProductLock
from chatdev.run.past import counting, gone_back
from chatdev.run.product import Product
from chatdev.run.report import make_report
from chatdev.run.steps import Step, find_step, head_before, steps_of
from chatdev.software.history import History

_MARKS = frozenset(("undone", "redone", "moved", "life", "stopped"))
"""Kinds that may stand between a going back and its taking back."""


@dataclass(frozen=True)
class Gone:
    """How a going back (or forth) went."""

    steps: list[Step]
    """The steps that no longer count (or count again), the first first."""
    branch: str
    """Where the undone commits are kept."""
    commits: list[str]
    """All that lie between the two places, the first first; those of a person's hand among them."""
    head: str | None


def undo(product: Product, to: str | None) -> Gone:
    """Go back to before the last step, or to before the step `to`.

    Raises:
        UserError: there is no such step, or somebody else is at work on the product.
    """
    with ProductLock(product.ours):
        journal = Journal.open(product.journal)
        try:
            history = History(product.root)
            settle(journal, history)
            events = counting(journal.events)
            steps = steps_of(events)
            if not steps:
                raise UserError("there is no step to go back behind", where=str(product.root))
            step = find_step(steps, to, str(product.root)) if to is not None else steps[-1]
            _keep_hand_edits(journal, history)
            head = head_before(events, step.first)
            gone = [one for one in steps if one.first >= step.first]
            kept = history.reaches(head)
            event = journal.append(
                "undone",
                since=step.first,
                step=step.path,
                title=step.title,
                head=head,
                left=history.head(),
                branch=f"undone/{sum(1 for one in journal.events if one.kind == 'undone') + 1}",
                tags={name: sha for name, sha in history.tags().items() if sha not in kept},
            )
            settle(journal, history)
            _report(product, journal)
            return Gone(gone, event["branch"], history.since(head, event["left"]), head)
        finally:
            journal.close()


def redo(product: Product) -> Gone:
    """Take the last going back back.

    Raises:
        UserError: nothing was undone, or the run went on since.
    """
    with ProductLock(product.ours):
        journal = Journal.open(product.journal)
        try:
            history = History(product.root)
            settle(journal, history)
            back = gone_back(journal.events)
            if not back:
                raise UserError("nothing was undone", where=str(product.root))
            event = next(one for one in journal.events if one.id == max(back))
            since = [one for one in counting(journal.events) if one.id > event.id]
            edited = history.dirty()
            if edited and all(one.kind in _MARKS for one in since):
                raise UserError(
                    f"files were changed by hand since: {', '.join(edited[:5])}",
                    where=str(product.root),
                    fix="Move them to another folder first, and back afterwards",
                )
            if edited or any(one.kind not in _MARKS for one in since):
                raise UserError(
                    f"the run went on since; what was undone lies in the branch {event['branch']}",
                    where=str(product.root),
                    fix=f"Look at it: git -C {product.root} log {event['branch']}",
                )
            before = {step.started for step in steps_of(counting(journal.events))}
            journal.append("redone", undo=event.id, head=event["left"], tags=event["tags"])
            settle(journal, history)
            _report(product, journal)
            again = [step for step in steps_of(counting(journal.events)) if step.started not in before]
            return Gone(again, event["branch"], history.since(event["head"], event["left"]), event["left"])
        finally:
            journal.close()


def settle(journal: Journal, history: History) -> None:
    """Let the software follow the last going back or forth, if a crash kept it from it."""
    events = [event for event in journal.events if event.kind in ("undone", "redone", "moved")]
    if not events or events[-1].kind == "moved":
        return
    event = events[-1]
    history.go_to(event["head"], keep=event.get("branch", ""))
    tags: dict[str, str] = event["tags"]
    history.move_tags(dict.fromkeys(tags, "") if event.kind == "undone" else tags)
    journal.append("moved", by=event.id)


def _keep_hand_edits(journal: Journal, history: History) -> None:
    """What a person changed since the last commit goes into the branch that is kept."""
    if not history.dirty():
        return
    now = datetime.now(timezone.utc)
    history.commit("Edited by hand", "Human", "human@chatdev.invalid", {"Phase": "hand"}, now)


def _report(product: Product, journal: Journal) -> dict[str, Any]:
    ledger = Ledger()
    ledger.read_all(journal.events, product.journal)
    report = make_report(product, journal, ledger)
    write_json(product.report_file, report)
    return report
