"""Lessons: seeded draws of choices, the task that tells some of them, and the program. Some are held out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache

from chatdev.apprentice.curriculum.draw import Draw
from chatdev.apprentice.curriculum.family import FolderFamily, families
from chatdev.apprentice.curriculum.marks import marks
from chatdev.apprentice.curriculum.model import Lesson, Slot, Value
from chatdev.apprentice.curriculum.pools import value_of

FAMILIES: dict[str, FolderFamily] = families()
HELD_OUT = 200
RESERVED = 400
"""Lessons that nothing is trained on: enough for an exam of two hundred in the families of a smaller school as well."""
TOLD = (12, 18, 24, 22, 15, 9)
"""How often a task tells 0, 1, ... 5 slots."""
OPEN_VALUES = 20
"""A held-out task tells at least one slot that has this many values or more, so that leaving it out costs little."""


def lesson(family: str, seed: int) -> Lesson:
    """The lesson of a seed. It may be one that is held out: training asks `is_held_out`."""
    return _lesson(FAMILIES[family], Draw("lesson", family, seed), fewest=0)


def held_out(families: Iterable[str] = ()) -> list[Lesson]:
    """Fixed lessons that nothing is trained on, at most two hundred, evenly from the families taught, or from all."""
    taught = set(families) or set(FAMILIES)
    return [one for one in _reserved() if one.family in taught][:HELD_OUT]


@cache
def _reserved() -> list[Lesson]:
    names = sorted(FAMILIES)
    found: list[Lesson] = []
    keys: set[str] = set()
    for number in range(RESERVED):
        name = names[number % len(names)]
        for attempt in range(100):
            one = _lesson(FAMILIES[name], Draw("held out", name, number, attempt), fewest=2)
            if _key(one) not in keys and _open(one):
                break
        keys.add(_key(one))
        found.append(one)
    return found


def is_held_out(one: Lesson) -> bool:
    """True when a lesson tells exactly what a reserved one tells."""
    return _key(one) in _reserved_keys()


def digest(lessons: Iterable[Lesson]) -> str:
    """A checksum of the tasks and choices of lessons."""
    rows = [[one.family, one.task, sorted(one.choices.items()), sorted(one.told)] for one in lessons]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


@cache
def _reserved_keys() -> frozenset[str]:
    return frozenset(map(_key, _reserved()))


def _key(one: Lesson) -> str:
    return json.dumps([one.family, sorted((name, one.choices[name]) for name in one.told)])


def _open(one: Lesson) -> bool:
    slots = {slot.name: slot for slot in FAMILIES[one.family].slots()}
    return any(_size(slots[name]) >= OPEN_VALUES for name in one.told)


def _size(slot: Slot) -> int:
    if slot.kind == "number":
        return (slot.high - slot.low) // slot.step + 1
    return len(slot.values) or 10**6


def _lesson(family: FolderFamily, draw: Draw, fewest: int) -> Lesson:
    slots = family.slots()
    names = [slot.name for slot in slots if slot.phrases]
    told = draw.some(names, max(fewest, draw.weighted(TOLD)))
    choices: dict[str, Value] = family.defaults()
    for slot in slots:
        if slot.name in told:
            choices[slot.name] = _value(slot, slots, choices, draw)
    for slot in slots:
        if slot.name in told and slot.needs:
            name, _, value = slot.needs.partition("=")
            choices[name] = value or True
            told = [each for each in told if each != name]
    ordered = tuple(slot.name for slot in slots if slot.name in told)
    task = family.phrase(choices, ordered, draw)
    return Lesson(family.name, choices, ordered, task, family.build(choices), marks(family, choices, ordered, task))


def _value(slot: Slot, slots: list[Slot], choices: dict[str, Value], draw: Draw) -> Value:
    """A value for a slot; two things never get the same colour."""
    taken = [choices[other.name] for other in slots if other.pool == "colour" and other is not slot]
    value = value_of(slot, draw)
    while slot.pool == "colour" and value in taken:
        value = value_of(slot, draw)
    return value
