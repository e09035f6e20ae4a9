"""The course of one rehearsal: what goes wrong in it, and who finds it.

A lesson says what the right program is. A course says how the company gets there: at once, or by way of a fault that a
review or the ladder finds.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatdev.apprentice.faults import Fault, mixture, seeded, slip

if TYPE_CHECKING:
    from chatdev.apprentice.curriculum import Lesson


@dataclass(frozen=True)
class Course:
    """What happens in one rehearsal."""

    fault: Fault | None = None
    reviewed: bool = False
    """The first review finds the fault; otherwise it is overlooked and left to the ladder."""
    unknown: bool = False
    """The task is outside of what is taught: the company says so and stops."""


def course_of(lesson: Lesson, rng: random.Random) -> Course:
    """A course for a lesson: a fifth without a fault, more than a quarter with one that the review finds, half with one
    that the ladder finds."""
    if rng.random() < 0.2:
        return Course()
    kind = rng.random()
    fault = slip(lesson, rng) if kind < 0.3 else mixture(lesson, rng) if kind < 0.6 else None
    fault = fault or seeded(lesson, rng)
    if fault is None:
        return Course()
    return Course(fault, reviewed=not fault.in_tests and (not fault.by_tests or rng.random() < 0.35))
