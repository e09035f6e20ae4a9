"""The person at the table: what they are asked, and what they may answer.

The chain asks through the small protocol `Person`; a terminal, a page or a file stands behind it. Answers go into the
journal, so a resumed run never asks the same question again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from chatdev.errors import UserError

Kind = Literal["approve", "comment", "stop"]


@dataclass(frozen=True)
class Question:
    """What is laid before the person."""

    step: str
    title: str
    subject: str
    """The artifact, or the changes as a diff."""


@dataclass(frozen=True)
class Answer:
    """What the person decided. `text` is the comment."""

    kind: Kind
    text: str = ""


class Person(Protocol):
    """Somebody who can be asked."""

    def ask(self, question: Question) -> Answer: ...


class Nobody:
    """Stands where no person was asked for; being asked all the same is the user's to mend."""

    def ask(self, question: Question) -> Answer:
        raise UserError(
            f'the phase "{question.step}" waits for a person, and there is no terminal to ask one',
            fix="Run it in a terminal, or without sign-off: --review none",
        )
