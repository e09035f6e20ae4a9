"""Where a task tells what: the ends of the phrases that name the program and its slots."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from chatdev.apprentice.curriculum.family import FolderFamily
from chatdev.apprentice.curriculum.model import PROGRAM, Choices, Mark
from chatdev.apprentice.curriculum.phrasing import filled


def marks(family: FolderFamily, choices: Choices, told: Collection[str], task: str) -> tuple[Mark, ...]:
    """The marks of a task, in its order. A slot that brings another one with it tells both."""
    slots = {slot.name: slot for slot in family.slots()}
    found: list[Mark] = []
    noun = _end_of(task, (noun.lstrip("=") for noun in family.nouns()))
    if noun is not None:
        found.append(Mark(noun, (PROGRAM,)))
    rest = [name for name in slots if name in told]
    for form in family.together():
        named = re.findall(r"\{(\w+)\}", form)
        end = _end_of(task, [filled(form, choices)])
        if end is not None and set(named) <= set(rest):
            found.append(Mark(end, tuple(dict.fromkeys(named))))
            rest = [name for name in rest if name not in named]
    for name in rest:
        end = _end_of(task, [filled(form, choices) for form in slots[name].forms(choices[name])])
        if end is not None:
            brought = slots[name].needs.partition("=")[0]
            found.append(Mark(end, (name, brought) if brought else (name,)))
    return tuple(sorted(found, key=lambda mark: mark.end))


def _end_of(task: str, forms: Iterable[str]) -> int | None:
    """Where the longest of these forms that stands in the task ends."""
    ends = {form: at + len(form) for form in map(_bare, forms) if (at := task.lower().find(form)) >= 0}
    return ends[max(ends, key=len)] if ends else None


def _bare(form: str) -> str:
    return form.rstrip(".").lower()
