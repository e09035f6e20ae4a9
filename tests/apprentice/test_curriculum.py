"""What the curriculum promises: programs that pass their tests, defects that are seen, lessons that stay the same."""

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from chatdev.apprentice.curriculum import (
    FAMILIES,
    HELD_OUT,
    digest,
    held_out,
    held_out_unknown,
    is_held_out,
    lesson,
    unknown_tasks,
)
from chatdev.apprentice.curriculum.check import problems, untidy, write
from chatdev.apprentice.curriculum.trial import failing
from chatdev.apprentice.curriculum.unknown import _last_words, subjects
from chatdev.apprentice.slots import agreed, listed, read_aloud, told_values
from chatdev.chain.pieces import numbered

DAY = 3
"""Which combinations are checked here; `python -m chatdev.apprentice.curriculum.check` checks as many as one likes."""


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_programs_run_pass_their_tests_and_every_defect_is_seen(family: str):
    assert [p for seed in (DAY,) for p in problems(lesson(family, seed))] == []


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_what_a_task_names_stands_in_the_list_that_its_analysis_begins_with(family: str):
    for seed in range(40):
        one = lesson(family, seed)
        lines = listed(one)
        assert [value for value in told_values(one) if value not in lines] == [], f"{one.task}\n{lines}"
        # The program is written by copying: what is listed as a setting stands there word for word.
        settings = [line for line in lines.splitlines() if f"\n{line}\n" in "\n".join(one.program.files.values())]
        assert len(settings) >= 3
        assert len(lines.splitlines()) <= 20
        assert agreed(one).endswith(f"\n\n{lines}")


SAID = r"[A-Z_]+ = (?:\"[^\"\n]*\"(?:\[:\d\])?(?:, \"[^\"\n]*\")*|\[[^\]\n]*\]|[^\"\[\],\n]+)"


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_an_analysis_repeats_the_task_and_says_of_each_phrase_what_it_tells(family: str):
    for seed in range(40):
        one = lesson(family, seed)
        aloud, lines = read_aloud(one), listed(one)
        assert re.sub(rf"(?: \[{SAID}\])+$", "", aloud, flags=re.MULTILINE) == numbered(one.task)
        assert aloud.count("[PROGRAM = ") == 1
        said = dict(re.findall(SAID.replace("[A-Z_]+ = (?:", "([A-Z_]+) = (", 1), aloud))
        assert {name.upper() for name in one.told} <= set(said)
        for name, value in said.items():  # what is said of a phrase and what is listed are the same
            assert f"\n{name} = {value}\n" in f"\n{lines}" or f"\n{name} = " not in f"\n{lines}"


def test_programs_are_tidy(tmp_path: Path):
    for family in FAMILIES:
        for seed in (DAY, DAY + 1):
            write(lesson(family, seed).program, tmp_path / f"{family}{seed}")
    assert untidy(tmp_path) == ""


def test_the_fast_way_to_run_tests_agrees_with_pytest(tmp_path: Path):
    program = lesson("todo", 5).program
    defect = next(d for d in program.defects if d.seen_by == "tests")
    write(program, tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    assert failing(program.files, program.tests) == []
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / defect.path).write_text(program.broken(defect)[defect.path])
    assert failing(program.broken(defect), program.tests)
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 1


def test_a_lesson_is_the_same_in_every_process():
    code = (
        "from chatdev.apprentice.curriculum import FAMILIES, digest, lesson;"
        "print(digest(lesson(name, seed) for name in FAMILIES for seed in range(5)))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


def test_what_is_told_stands_in_the_task_and_the_rest_takes_defaults():
    for family, one in FAMILIES.items():
        for seed in range(5):
            made = lesson(family, seed)
            needed = {slot.needs.partition("=")[0] for slot in one.slots() if slot.name in made.told}
            for name, value in one.defaults().items():
                assert name in made.told or name in needed or made.choices[name] == value


def test_held_out_lessons_are_different_and_recognised():
    lessons = held_out()
    assert len(lessons) == HELD_OUT
    assert {one.family for one in lessons} == set(FAMILIES)
    assert len({one.task for one in lessons}) == HELD_OUT
    assert all(is_held_out(one) for one in lessons)
    seen = [is_held_out(lesson(family, seed)) for family in FAMILIES for seed in range(20)]
    assert sum(seen) < len(seen) / 50


def test_a_smaller_school_has_an_exam_of_the_same_size():
    taught = sorted(FAMILIES)[:32]
    lessons = held_out(taught)
    shared = [one for one in held_out() if one.family in taught]
    assert lessons[: len(shared)] == shared
    assert len(lessons) == HELD_OUT > len(shared)
    counts = Counter(one.family for one in lessons)
    assert set(counts) == set(taught)
    assert max(counts.values()) - min(counts.values()) <= 1
    assert all(is_held_out(one) for one in lessons)


def test_what_is_held_out_stays_the_same():
    """A change of families or wordings changes the exam: write the new sums here, and measure the model anew."""
    assert digest(held_out()) == "d16fc73a19e4fac86d04ce0835b7917daa5b1d244ac3d159056a4ada577291fd"
    assert (
        hashlib.sha256("\n".join(held_out_unknown()).encode()).hexdigest()
        == "20714edeb743e437aa9aefde92bbea47da822a7ad34d37b689c902f2a31acafe"
    )


def test_unknown_tasks_share_no_subject_with_the_families_or_the_held_out_ones():
    nouns = {noun.strip("=").lower() for one in FAMILIES.values() for noun in one.nouns()}
    taught, kept = ([each.strip("=").lower() for each in subjects()[part]] for part in ("taught", "held_out"))
    assert len(set(taught)) >= 200
    assert len(set(kept)) == len(held_out_unknown()) == 100
    lists = subjects()
    behind = {*lists["kinds"], *lists["plain"], *_last_words()}
    made = {f"{area} {kind}".lower() for area in lists["areas"] for kind in behind}
    made |= {f"{word} {trade}".lower() for word in lists["borrowed"] for trade in lists["trades"]}
    assert len(made) > 20_000
    assert not (made | set(taught)) & set(kept)
    assert not (made | set(taught) | set(kept)) & nouns
    assert unknown_tasks(1) == unknown_tasks(1) != unknown_tasks(2)
    assert not set(unknown_tasks(1, 1000)) & set(held_out_unknown())
