"""The steps of a run as its journal tells them: what `show` lists, and where `undo` and `fork` can cut.

A step is a phase or a check at one place of the chain. It begins where the step before it ended, so the questions that
a loop asks in between belong to the step that follows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from chatdev.errors import UserError
from chatdev.run.journal import Event

_BETWEEN = ("looked", "artifact", "loop_ended")
"""Kinds between two steps that are found again when the step is done anew."""


@dataclass
class Step:
    """One step that was begun."""

    path: str
    title: str
    phase: str
    first: int
    """Id of its first event; everything before it is the past that a fork shares."""
    started: int
    """Id of the event that opened it."""
    commits: list[str] = field(default_factory=list)
    replies: int = 0
    verdict: str = ""
    """Of a check."""
    ended: bool = False

    @property
    def label(self) -> str:
        return f"{self.title} [{self.path}]"


def steps_of(counting: Iterable[Event]) -> list[Step]:
    """Steps in the order they were begun.

    Args:
        counting: the events that count (see `past.counting`).
    """
    steps: list[Step] = []
    events = list(counting)
    for number, event in enumerate(events):
        if event.kind == "step_started":
            before = number
            while before and events[before - 1].kind in _BETWEEN and _asked(events[before - 1]):
                before -= 1
            title, phase = str(event.get("title", "")), str(event.get("phase", ""))
            steps.append(Step(event["step"], title, phase, events[before].id, event.id))
        elif steps:
            _tell(steps[-1], event)
    return steps


def _asked(event: Event) -> bool:
    """Does an event between two steps answer a question of the chain, rather than end the step before?"""
    return event.kind != "artifact" or event.get("by") == "placeholders"


def _tell(step: Step, event: Event) -> None:
    if event.kind == "said":
        step.replies += 1
    elif event.kind == "committed" and event["sha"]:
        step.commits.append(event["sha"])
    elif event.kind == "step_ended":
        step.ended = True
    elif event.kind == "checked":
        step.verdict, step.ended = event["report"]["verdict"], True


def find_step(steps: list[Step], wanted: str, where: str) -> Step:
    """The step of a path as `show` prints it, or the one that an event's id falls into.

    Raises:
        UserError: there is none; the message names those that are near.
    """
    fitting = [step for step in steps if step.path == wanted]
    if not fitting and wanted.isdigit():
        fitting = [step for step in steps if step.first <= int(wanted)]
    if fitting:
        return fitting[-1]
    import difflib

    paths = [step.path for step in steps]
    near = [path for path in paths if wanted and path.startswith(wanted)] or difflib.get_close_matches(wanted, paths)
    hint = f'Did you mean "{near[0]}"? ' if near else ""
    raise UserError(f'there is no step "{wanted}"', where=where, fix=f"{hint}All steps: run.py show {where}")


def head_before(counting: list[Event], first: int) -> str | None:
    """The commit at which the software stood just before event `first`; None before the first commit."""
    for event in reversed([event for event in counting if event.id < first]):
        if event.kind == "committed" and event["sha"]:
            return str(event["sha"])
        if event.kind == "notice" and event.get("sha"):
            return str(event["sha"])
        if event.kind in ("step_started", "opened") and "head" in event.data:
            head: str | None = event["head"]
            return head
    return None
