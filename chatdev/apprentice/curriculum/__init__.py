"""The curriculum: families of small programs, the tasks that ask for them, and tasks that ask for something else.

FAMILIES["snake"].slots()            what varies
lesson("snake", seed=7)              a task and its program; the same on every machine
held_out()                           the 200 lessons that nothing is trained on
unknown_tasks(seed=7)                a task from outside the families
"""

from __future__ import annotations

from chatdev.apprentice.curriculum.lessons import FAMILIES, HELD_OUT, digest, held_out, is_held_out, lesson
from chatdev.apprentice.curriculum.model import Choices, Defect, Family, Lesson, Program, Slot, Value
from chatdev.apprentice.curriculum.unknown import held_out_unknown, unknown_tasks

__all__ = [
    "FAMILIES",
    "HELD_OUT",
    "Choices",
    "Defect",
    "Family",
    "Lesson",
    "Program",
    "Slot",
    "Value",
    "digest",
    "held_out",
    "held_out_unknown",
    "is_held_out",
    "lesson",
    "unknown_tasks",
]
