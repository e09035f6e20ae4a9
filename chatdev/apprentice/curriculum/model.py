"""What the curriculum is made of: slots, programs, seeded defects and lessons."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from chatdev.apprentice.curriculum.draw import Draw

Value = str | int | bool
Choices = Mapping[str, Value]
SlotKind = Literal["choice", "number", "word", "text", "flag"]
SeenBy = Literal["tests", "import", "start", "review"]


@dataclass(frozen=True)
class Slot:
    """One thing that varies in a family of programs."""

    name: str
    kind: SlotKind
    default: Value
    values: tuple[Value, ...] = ()
    """All values of a choice or a flag; empty for open sets."""
    low: int = 0
    high: int = 0
    step: int = 1
    """Bounds of a number, both inside."""
    pool: str = ""
    """Which open set of words or texts a value comes from."""
    words: tuple[str, ...] = ()
    """Words of the family that values are made with."""
    phrases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """How a task tells it. Keys: `*` for every value, else the value as text."""
    needs: str = ""
    """`flag` or `choice=value`: what comes with this slot when it is told, as it says nothing alone."""

    def forms(self, value: Value) -> tuple[str, ...]:
        """How a task tells this value."""
        return self.phrases.get("*") or self.phrases[str(value).lower()]

    def tellable(self) -> tuple[Value, ...]:
        """The values that a task has words for; empty for an open set, where it has words for each."""
        return () if "*" in self.phrases else tuple(v for v in self.values if str(v).lower() in self.phrases)


@dataclass(frozen=True)
class Defect:
    """A seeded fault: replacing the only `good` in files[path] by `bad` breaks the program."""

    path: str
    good: str
    bad: str
    review: str
    """What a reviewer says of it: file, place, what to change."""
    summary: str
    """What the tester says of it after the failing report, five lines at most."""
    seen_by: SeenBy
    """What finds it: a test, an import of the logic, the start of the program, or only a reader."""


@dataclass(frozen=True)
class Program:
    """One program as the model is to write it, word for word."""

    modality: str
    reason: str
    language_reason: str
    files: dict[str, str]
    tests: dict[str, str]
    manual: str
    plan: str
    """Lines `file: what it is for`."""
    defects: tuple[Defect, ...]

    def broken(self, defect: Defect) -> dict[str, str]:
        """The files with one defect in them."""
        return {**self.files, defect.path: self.files[defect.path].replace(defect.good, defect.bad)}


PROGRAM = "program"


@dataclass(frozen=True)
class Mark:
    """A phrase of a task that tells something."""

    end: int
    """Where it ends in the task."""
    names: tuple[str, ...]
    """The slots it tells; `PROGRAM` for the family itself."""


@dataclass(frozen=True)
class Lesson:
    """A task and the program that fulfils it."""

    family: str
    choices: dict[str, Value]
    told: tuple[str, ...]
    task: str
    program: Program
    marks: tuple[Mark, ...] = ()


class Family(Protocol):
    """A family of programs: everything in it is a function of the choices."""

    name: str
    kind: str
    """`game` or `tool`."""

    def slots(self) -> list[Slot]:
        """What varies."""

    def phrase(self, choices: Choices, told: Collection[str], rng: Draw) -> str:
        """A task that tells the slots named in `told`; the rest is left open."""

    def build(self, choices: Choices) -> Program:
        """The program of these choices."""
