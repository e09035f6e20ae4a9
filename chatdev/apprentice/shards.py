"""Training data: rehearsals of the company, made by several processes ahead of the training and kept as files.

Shard number i of a seed holds the streams of lessons i*n .. (i+1)*n and is the same on every machine, so a stopped
preparation goes on where it was, and a training can be repeated. Held-out lessons are skipped.
"""

from __future__ import annotations

import importlib
import os
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chatdev.apprentice.course import Course, course_of
from chatdev.apprentice.drills import building, reading, settings
from chatdev.apprentice.endless import endless
from chatdev.apprentice.oracle import Oracle
from chatdev.apprentice.rehearsal import WINDOW, Rehearsed, default_company, rehearse, reworded
from chatdev.apprentice.streams import Row, Spelling
from chatdev.chain.crew import Crew
from chatdev.errors import UserError

if TYPE_CHECKING:
    from chatdev.apprentice.curriculum import Lesson
    from chatdev.company import CompanyBundle

CURRICULUM = "chatdev.apprentice.curriculum"
PER_SHARD = {"dialogues": 64, "lists": 2048, "programs": 512, "endless": 16}
"""Rows of a shard (lessons, of dialogues): whole dialogues, settings only, what is said and hardly anything of what is
asked, or one task after the other."""
STRANGE_LISTS = 0.4
"""Of those, tasks that nobody taught."""
READINGS = 0.4
"""Of those, the ones that end before the list."""
SHORT_LISTS = 0.75
"""Of those, these and the lists without the prompt of a company and without anything between task and settings."""
UNKNOWN_SHARE = 0.08
"""Of all tasks, those that nobody taught."""
LEFT_OUT_SHARE = 0.5
"""Of those, the ones that ask for a family that is left out, where families are left out."""
REWORDED_SHARE = 0.5
"""Of all rehearsals, those with prompts worded differently."""
LONGEST = 3 * WINDOW
"""Tokens of a row; what comes behind is cut off. A row with one task after the other has as many."""

OnProgress = Callable[[str, float], None]


@dataclass(frozen=True)
class Making:
    """What shards are made of."""

    tokenizer: str
    """Folder."""
    seed: int
    curriculum: str = CURRICULUM
    """The module that has FAMILIES, lesson, is_held_out, held_out and unknown_tasks."""
    families: tuple[str, ...] = ()
    """The families that are taught; all when empty."""

    def taught(self) -> list[str]:
        """Names of the families that are taught.

        Raises:
            UserError: the curriculum has no such family.
        """
        known = sorted(importlib.import_module(self.curriculum).FAMILIES)
        strange = sorted(set(self.families) - set(known))
        if strange:
            near = sorted({one for name in strange for one in get_close_matches(name, known)})
            hint = f"Near to that: {', '.join(near)}" if near else f"It has {', '.join(known)}"
            what = f"the curriculum has no family called {', '.join(strange)}"
            raise UserError(what, where=self.curriculum, fix=hint)
        return sorted(self.families) or known

    def held_out(self) -> list[Any]:
        """The lessons of those families that nothing is trained on."""
        return list(importlib.import_module(self.curriculum).held_out(self.taught()))


@dataclass
class Rows:
    """Many streams in flat arrays."""

    ids: np.ndarray[Any, Any]
    kinds: np.ndarray[Any, Any]
    starts: np.ndarray[Any, Any]
    """[rows + 1]"""
    sinks: np.ndarray[Any, Any]

    def __len__(self) -> int:
        return len(self.sinks)

    @property
    def lengths(self) -> np.ndarray[Any, Any]:
        """Tokens of every row."""
        return np.diff(self.starts)

    @classmethod
    def of(cls, found: Sequence[Row], longest: int = LONGEST) -> Rows:
        """Rows as arrays, cut to `longest` tokens; those with nothing to learn are left out."""
        kept = [row for row in found if row.own and row.own[0][0] < longest]
        small = all(max(row.ids) < 1 << 16 for row in kept)
        ids = [np.asarray(row.ids[:longest], dtype=np.uint16 if small else np.uint32) for row in kept]
        kinds = [np.asarray(row.kinds()[:longest], dtype=np.uint8) for row in kept]
        starts = np.cumsum([0, *map(len, ids)])
        sinks = np.asarray([row.sinks for row in kept], dtype=np.int32)
        if not kept:
            return cls(np.zeros(0, np.uint16), np.zeros(0, np.uint8), starts, sinks)
        return cls(np.concatenate(ids), np.concatenate(kinds), starts, sinks)

    @classmethod
    def joined(cls, parts: Sequence[Rows]) -> Rows:
        """All rows of several."""
        starts = np.cumsum(np.concatenate([[0], *(part.lengths for part in parts)])).astype(np.int64)
        return cls(
            np.concatenate([part.ids for part in parts]),
            np.concatenate([part.kinds for part in parts]),
            starts,
            np.concatenate([part.sinks for part in parts]),
        )

    def save(self, path: Path) -> None:
        """Write them, whole or not at all."""
        part = path.with_suffix(".part.npz")
        np.savez(part, ids=self.ids, kinds=self.kinds, starts=self.starts, sinks=self.sinks)
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> Rows:
        """Read them."""
        with np.load(path) as found:
            return cls(found["ids"], found["kinds"], found["starts"], found["sinks"])


@cache
def _company() -> CompanyBundle:
    """The default company, read once: nothing here changes it."""
    return default_company()


def lesson_rows(making: Making, number: int, spelling: Spelling, curriculum: Any) -> list[Row]:
    """The streams of lesson `number`, whatever it is."""
    rng = random.Random(f"{making.seed}/{number}/lesson")
    bundle = _company()
    if rng.random() < REWORDED_SHARE:
        bundle = reworded(bundle, rng)
    taught = making.taught()
    if rng.random() < UNKNOWN_SHARE:
        task = _untaught(curriculum, taught, rng)
        return rehearse(None, Course(unknown=True), bundle, spelling, seed=number, task=task).rows(spelling)
    lesson = _drawn(curriculum, rng.choice(taught), rng)
    return rehearse(lesson, course_of(lesson, rng), bundle, spelling, seed=number).rows(spelling)


def _drawn(curriculum: Any, family: str, rng: random.Random) -> Lesson:
    """A lesson that is not held out."""
    lesson: Lesson = curriculum.lesson(family, rng.randrange(1 << 30))
    while curriculum.is_held_out(lesson):
        lesson = curriculum.lesson(family, rng.randrange(1 << 30))
    return lesson


def _untaught(curriculum: Any, taught: list[str], rng: random.Random) -> str:
    """A task from outside the families that are taught."""
    left_out = sorted(set(curriculum.FAMILIES) - set(taught))
    if left_out and rng.random() < LEFT_OUT_SHARE:
        return _drawn(curriculum, rng.choice(left_out), rng).task
    tasks: list[str] = curriculum.unknown_tasks(rng.randrange(1 << 30), 1)
    return tasks[0]


def list_row(making: Making, number: int, spelling: Spelling, curriculum: Any) -> Row:
    """The settings of lesson `number`.

    Most of these rows are short, nothing but the task and the answer: it is in them that reading is learned.
    """
    rng = random.Random(f"{making.seed}/{number}/list")
    taught = making.taught()
    if rng.random() < STRANGE_LISTS:
        return reading(spelling, None, _untaught(curriculum, taught, rng))
    lesson = _drawn(curriculum, rng.choice(taught), rng)
    kind = rng.random()
    if kind < READINGS:
        return reading(spelling, lesson, lesson.task)
    if kind < SHORT_LISTS:
        return settings(spelling, lesson, lesson.task)
    head = Crew.head_of(_company(), "programmer", lesson.task)
    between = "".join(_drawn(curriculum, lesson.family, rng).program.files.values())
    start = rng.randrange(len(between))
    return settings(spelling, lesson, head, between[start : start + rng.randrange(2_400)])


def program_row(making: Making, number: int, spelling: Spelling, curriculum: Any) -> Row:
    """Lesson `number`, built without a fault and without a company."""
    rng = random.Random(f"{making.seed}/{number}/program")
    lesson = _drawn(curriculum, rng.choice(making.taught()), rng)
    return building(spelling, lesson, Oracle(lesson, Course(), number).answer_in)


def endless_row(making: Making, number: int, spelling: Spelling, curriculum: Any) -> Row:
    """One agent's dialogues on one task after the other."""
    rng = random.Random(f"{making.seed}/{number}/endless")

    def dialogues() -> Iterator[tuple[Lesson, Rehearsed]]:
        while True:
            lesson = _drawn(curriculum, rng.choice(making.taught()), rng)
            yield lesson, rehearse(lesson, course_of(lesson, rng), _company(), spelling, seed=number)

    return endless(spelling, dialogues(), LONGEST)


ROW_OF = {"lists": list_row, "programs": program_row, "endless": endless_row}


def make_shard(making: Making, index: int, folder: str, kind: str = "dialogues") -> str:
    """Write one shard of a kind of `PER_SHARD`; returns its path."""
    path = Path(folder) / f"{kind}-{index:05d}.npz"
    if not path.exists():
        spelling = _spelling(making.tokenizer)
        curriculum = importlib.import_module(making.curriculum)
        found: list[Row] = []
        for number in range(index * PER_SHARD[kind], (index + 1) * PER_SHARD[kind]):
            if kind == "dialogues":
                found += lesson_rows(making, number, spelling, curriculum)
            else:
                found.append(ROW_OF[kind](making, number, spelling, curriculum))
        Rows.of(found).save(path)
    return str(path)


_spellings: dict[str, Spelling] = {}


def _spelling(folder: str) -> Spelling:
    if folder not in _spellings:
        from chatdev.apprentice.tokenizer import load

        _spellings[folder] = Spelling.of(load(Path(folder)))
    return _spellings[folder]


def prepare(
    making: Making, lessons: int, folder: Path, workers: int, tell: OnProgress, kind: str = "dialogues"
) -> list[Path]:
    """Make the shards of so many lessons, those that are not there yet; one at least where any are wanted."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    shards = max(1, lessons // PER_SHARD[kind]) if lessons else 0
    paths = [folder / f"{kind}-{index:05d}.npz" for index in range(shards)]
    missing = [index for index, path in enumerate(paths) if not path.exists()]
    if not missing:
        return paths
    if workers < 2:
        for done, index in enumerate(missing, 1):
            make_shard(making, index, str(folder), kind)
            tell(kind, done / len(missing))
        return paths
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(make_shard, making, index, str(folder), kind) for index in missing]
        for done, job in enumerate(as_completed(jobs), 1):
            job.result()
            tell(kind, done / len(missing))
    return paths


def held_out_rows(making: Making, spelling: Spelling, most: int) -> Rows:
    """The streams of held-out lessons, half of them with a fault."""
    bundle = _company()
    lessons = making.held_out()
    step = max(1, len(lessons) // most)
    found: list[Row] = []
    for number, lesson in enumerate(lessons[::step][:most]):
        rng = random.Random(f"held out/{number}")
        course = course_of(lesson, rng) if number % 2 else Course()
        found += rehearse(lesson, course, bundle, spelling, seed=number).rows(spelling)
    return Rows.of(found)
