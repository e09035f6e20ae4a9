"""The person at the table: what they are asked, and what they may answer.

The chain asks through the small protocol `Person`; a terminal, a page or a file stands behind it. Questions and answers
go into the journal (see `table`), so a resumed run never asks the same question again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from chatdev.errors import UserError

Kind = Literal["approve", "comment", "edit", "reject", "skip", "stop", "always"]
TWO_WAYS = "Give the answers in a file, --answers FILE, or from the studio, --answers inbox (or run it in a terminal)"


@dataclass(frozen=True)
class Question:
    """What is laid before the person."""

    step: str
    phase: str
    title: str
    about: Literal["artifact", "diff", "question"]
    """Whether `subject` is a text that a phase made, changes of files, or something to be answered in words."""
    subject: str
    choices: tuple[Kind, ...]
    """What may be answered. `comment` to a question is the answer in words."""
    reasons: str = ""
    """Why the work is as it is: the review or the summary that it answers, or what its author said of it."""
    evidence: dict[str, Any] | None = None
    """The newest verdict: `verdict`, `reason`, `rung` (the first that failed, or None) and `current` (False when
    files were changed since)."""
    files: tuple[str, ...] = ()
    """Paths that were changed, for an editor."""
    folder: Path | None = None
    """The product."""
    head: str | None = None
    """The newest commit that is shown."""

    def to_json(self) -> dict[str, Any]:
        """The fields of the event `asked`."""
        return {
            "step": self.step,
            "phase": self.phase,
            "title": self.title,
            "about": self.about,
            "subject": self.subject,
            "choices": list(self.choices),
            "reasons": self.reasons,
            "evidence": self.evidence,
            "files": list(self.files),
            "head": self.head,
        }


@dataclass(frozen=True)
class Answer:
    """What the person decided."""

    kind: Kind
    text: str = ""
    """The comment, the reason, an artifact's new text; with `always`: `run` for the rest of the run, else the phase."""
    files: dict[str, str] = field(default_factory=dict)
    """New texts of files by path; with `edit` from somebody who has no editor on the product's folder."""
    letter: str = ""
    """The letter it came in, to be removed when it is recorded."""


Arrived = Callable[[], Answer | None]
"""Looks whether an answer to the open question came by letter."""


class Person(Protocol):
    """Somebody who can be asked."""

    by: str
    """Where the answers come from: terminal, inbox, file or nobody."""

    def ask(self, question: Question, arrived: Arrived) -> Answer:
        """Wait for the answer."""

    def passed(self, phase: str) -> None:
        """Called once for every answer that this kind of person gave in an earlier life of the run."""


class Nobody:
    """Stands where no person was asked for; being asked all the same is the user's to mend."""

    by = "nobody"

    def ask(self, question: Question, arrived: Arrived) -> Answer:
        raise UserError(f'the phase "{question.step}" waits for a person, and there is none', fix=TWO_WAYS)

    def passed(self, phase: str) -> None:
        """Nobody gave any."""
