"""The course of one rehearsal: what goes wrong in it, and who finds it.

A lesson says what the right program is. A course says how the company gets there: at once, or by way of a seeded fault
that a review or the ladder finds. Faults are the lesson's own (`Program.defects`) or a slip: a value of the task copied
wrongly into the program or its tests, which is what a small model gets wrong most often.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatdev.apprentice.curriculum import Lesson


@dataclass(frozen=True)
class Fault:
    """One wrong place: `good` in `path` reads `bad` at first."""

    path: str
    good: str
    bad: str
    review: str
    """What a reviewer says of it."""
    summary: str
    """What a tester says after the failing report."""
    by_tests: bool
    """The ladder finds it (and not only a reader)."""
    in_tests: bool = False
    """It stands in a test, which contradicts the task."""


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
    fault = slip(lesson, rng) if rng.random() < 0.4 else None
    fault = fault or seeded(lesson, rng)
    if fault is None:
        return Course()
    return Course(fault, reviewed=not fault.in_tests and (not fault.by_tests or rng.random() < 0.35))


def seeded(lesson: Lesson, rng: random.Random) -> Fault | None:
    """One of the program's own defects."""
    found = list(lesson.program.defects)
    if not found:
        return None
    one = rng.choice(found)
    return Fault(one.path, one.good, one.bad, one.review, one.summary, one.seen_by != "review")


def slip(lesson: Lesson, rng: random.Random) -> Fault | None:
    """A value of the task that was copied wrongly into a settings block, or into a test; None when there is none."""
    program, told = lesson.program, set(lesson.told)
    places: list[tuple[str, str, str, str]] = []
    for path, text in {**program.files, **program.tests}.items():
        for line in text.splitlines():
            found = re.match(r"^(?:    assert .*|[A-Z][A-Z_0-9]*(?:: [^=]+)? = .*)$", line)
            for name in sorted(told) if found else ():
                value = _literal(lesson.choices[name])
                if value and re.search(rf"(?<![\w.]){re.escape(value)}(?![\w.])", line) and text.count(line) == 1:
                    places.append((path, line, name, value))
    if not places:
        return None
    path, line, name, value = rng.choice(places)
    wrong = _wrong(lesson.choices[name], rng)
    if wrong is None:
        return None
    bad = re.sub(rf"(?<![\w.]){re.escape(value)}(?![\w.])", lambda _: wrong, line, count=1)
    if bad == line:
        return None
    tests = path in program.tests
    what = name.replace("_", " ")
    review = f"1. {path}, `{bad.strip()}`: the task says {value}. Write `{line.strip()}`."
    if tests:
        summary = f"The test is wrong: {path} has `{bad.strip()}`, but the task says {value}. The {what} is {value}."
    else:
        summary = f"{path} has `{bad.strip()}`, but the task says {value}. Set the {what} to {value}."
    checked = tests or any(value in text for text in program.tests.values())
    return Fault(path, line, bad, review, summary, checked, tests)


def _literal(value: object) -> str:
    """How a value stands in a program."""
    if isinstance(value, bool):
        return ""
    if isinstance(value, int | float):
        return str(value)
    return f'"{value}"' if isinstance(value, str) and value else ""


def _wrong(value: object, rng: random.Random) -> str | None:
    """A value that is nearly right, as a program writes it."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = str(value)
        at = rng.randrange(len(text))
        if not text[at].isdigit():
            return None
        digit = rng.choice([d for d in "123456789" if d != text[at]])
        return text[:at] + digit + text[at + 1 :]
    words = str(value).split(" ")
    if rng.random() < 0.5 and len(words) > 1:
        del words[rng.randrange(len(words))]
    else:
        at = rng.randrange(len(words))
        if len(words[at]) < 3:
            return None
        cut = rng.randrange(1, len(words[at]))
        words[at] = words[at][:cut] + rng.choice("abdeilmnorst") + words[at][cut + (rng.random() < 0.5) :]
    return f'"{" ".join(words)}"'
