"""Training data: rehearsals of the company, made by several processes ahead of the training and kept as files.

Shard number i of a seed holds the streams of lessons i*n .. (i+1)*n and is the same on every machine, so a stopped
preparation goes on where it was, and a training can be repeated. Held-out lessons are skipped.
"""

from __future__ import annotations

import importlib
import os
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from chatdev.apprentice.course import Course, course_of
from chatdev.apprentice.drills import settings
from chatdev.apprentice.rehearsal import default_company, rehearse, reworded
from chatdev.apprentice.streams import Row, Spelling
from chatdev.chain.crew import Crew

CURRICULUM = "chatdev.apprentice.curriculum"
PER_SHARD = 64
"""Lessons of a shard."""
UNKNOWN_SHARE = 0.08
"""Of all tasks, those that nobody taught."""
REWORDED_SHARE = 0.5
"""Of all rehearsals, those with prompts worded differently."""
LONGEST = 4096
"""Tokens of a row; what comes behind is cut off."""

OnProgress = Callable[[str, float], None]


@dataclass(frozen=True)
class Making:
    """What shards are made of."""

    tokenizer: str
    """Folder."""
    seed: int
    curriculum: str = CURRICULUM
    """The module that has FAMILIES, lesson, is_held_out, held_out and unknown_tasks."""


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


def lesson_rows(making: Making, number: int, spelling: Spelling, curriculum: Any) -> list[Row]:
    """The streams of lesson `number`, whatever it is."""
    rng = random.Random(f"{making.seed}/{number}/lesson")
    bundle = default_company()
    if rng.random() < REWORDED_SHARE:
        bundle = reworded(bundle, rng)
    if rng.random() < UNKNOWN_SHARE:
        for task in curriculum.unknown_tasks(rng.randrange(1 << 30), 1):
            return rehearse(None, Course(unknown=True), bundle, spelling, seed=number, task=task).rows(spelling)
    family = rng.choice(sorted(curriculum.FAMILIES))
    lesson = curriculum.lesson(family, rng.randrange(1 << 30))
    while curriculum.is_held_out(lesson):
        lesson = curriculum.lesson(family, rng.randrange(1 << 30))
    found = rehearse(lesson, course_of(lesson, rng), bundle, spelling, seed=number).rows(spelling)
    return [*found, settings(spelling, lesson, Crew.head_of(bundle, "programmer", lesson.task))]


def make_shard(making: Making, index: int, folder: str) -> str:
    """Write one shard; returns its path."""
    path = Path(folder) / f"shard-{index:05d}.npz"
    if not path.exists():
        spelling = _spelling(making.tokenizer)
        curriculum = importlib.import_module(making.curriculum)
        found: list[Row] = []
        for number in range(index * PER_SHARD, (index + 1) * PER_SHARD):
            found += lesson_rows(making, number, spelling, curriculum)
        Rows.of(found).save(path)
    return str(path)


_spellings: dict[str, Spelling] = {}


def _spelling(folder: str) -> Spelling:
    if folder not in _spellings:
        from chatdev.apprentice.tokenizer import load

        _spellings[folder] = Spelling.of(load(Path(folder)))
    return _spellings[folder]


def prepare(making: Making, shards: int, folder: Path, workers: int, tell: OnProgress) -> list[Path]:
    """Make shards 0 to `shards` - 1, those that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    paths = [folder / f"shard-{index:05d}.npz" for index in range(shards)]
    missing = [index for index, path in enumerate(paths) if not path.exists()]
    if not missing:
        return paths
    if workers < 2:
        for done, index in enumerate(missing, 1):
            make_shard(making, index, str(folder))
            tell("rehearsing", done / len(missing))
        return paths
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(make_shard, making, index, str(folder)) for index in missing]
        for done, job in enumerate(as_completed(jobs), 1):
            job.result()
            tell("rehearsing", done / len(missing))
    return paths


def held_out_rows(making: Making, spelling: Spelling, most: int) -> Rows:
    """The streams of held-out lessons, half of them with a fault."""
    curriculum = importlib.import_module(making.curriculum)
    bundle = default_company()
    lessons = list(curriculum.held_out())
    step = max(1, len(lessons) // most)
    found: list[Row] = []
    for number, lesson in enumerate(lessons[::step][:most]):
        rng = random.Random(f"held out/{number}")
        course = course_of(lesson, rng) if number % 2 else Course()
        found += rehearse(lesson, course, bundle, spelling, seed=number).rows(spelling)
    return Rows.of(found)
