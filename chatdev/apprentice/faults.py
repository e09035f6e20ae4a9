"""What goes wrong in a rehearsal.

Faults are the lesson's own (`Program.defects`), a *slip*: a value of the task copied wrongly into the program or its
tests, or a *mixture*: one place reads as it would with an option the other way round. The last two are what a small
model gets wrong most often.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

from chatdev.apprentice.slots import written

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


def mixture(lesson: Lesson, rng: random.Random) -> Fault | None:
    """One place of a file as it is with an option the other way round (a table without its entry, a test of what was
    not asked for); None where the lesson's family has no options."""
    from chatdev.apprentice.curriculum import FAMILIES

    family, program = FAMILIES.get(lesson.family), lesson.program
    options = [
        (slot.name, value)
        for slot in (family.slots() if family else ())
        if slot.name != "ui" and slot.kind in ("flag", "choice") and slot.pool != "colour"
        for value in slot.values * (3 if slot.kind == "flag" else 1)
        if value != lesson.choices[slot.name]
    ]
    if family is None or not options:
        return None
    name, value = rng.choice(options)
    other = family.build({**lesson.choices, name: value})
    mixed = {**other.files, **other.tests}
    places = [
        (path, place)
        for path, text in {**program.files, **program.tests}.items()
        for place in _differences(text, mixed.get(path, text))
        if path not in program.tests or place.wrong  # nothing tells that a test is missing
    ]
    if not places:
        return None
    path, (good, bad, right, wrong) = rng.choice(places)
    said = f"{name.upper()} = {written(lesson.choices[name])}"
    if not wrong:
        found, mend = f"{path} has no `{right}`, but {said}.", "Put it in."
    elif not right:
        found, mend = f"{path} has `{wrong}`, but {said}.", "Take it out."
    else:
        found, mend = f"{path} has `{wrong}`, but {said}.", f"Write `{right}`."
    tests = path in program.tests
    summary = f"{'The test is wrong: ' if tests else ''}{found} {mend}"
    # The ladder finds most of them (27 of 35 tried); what it overlooks is overlooked, as with any company.
    return Fault(path, good, bad, f"1. {found} {mend}", summary, True, tests)


class _Place(NamedTuple):
    """Where two texts differ."""

    good: str
    """A span of the first text that stands there once."""
    bad: str
    """The same with what the other has there."""
    right: str
    """The first line that only the first text has there; empty for none."""
    wrong: str
    """The first line that only the other has there; empty for none."""


def _differences(text: str, other: str) -> Iterator[_Place]:
    """Each place where two texts differ; what only comments say is left out."""
    here, there = text.splitlines(keepends=True), other.splitlines(keepends=True)
    for tag, a, b, c, d in SequenceMatcher(None, here, there, autojunk=False).get_opcodes():
        right, wrong = _first(here[a:b]), _first(there[c:d])
        if tag == "equal" or not (right or wrong):
            continue
        for around in range(1, 8):
            before, behind = here[max(0, a - around) : a], here[b : b + around]
            good = "".join([*before, *here[a:b], *behind])
            if text.count(good) == 1:
                yield _Place(good, "".join([*before, *there[c:d], *behind]), right, wrong)
                break


def _first(lines: list[str]) -> str:
    """The first line that a program does something in."""
    code = (line.strip() for line in lines)
    return next((line for line in code if line and not line.startswith(('"""', "#"))), "")


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
