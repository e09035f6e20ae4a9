"""What a training is fed: which rows, how many of each kind, and what weighs in them."""

from collections import Counter

import pytest
import torch

from chatdev.apprentice.batches import Material, Mix, chunk
from chatdev.apprentice.course import Course
from chatdev.apprentice.drills import READ_ALOUD, reading, settings
from chatdev.apprentice.endless import endless
from chatdev.apprentice.faults import Fault
from chatdev.apprentice.rehearsal import default_company, rehearse
from chatdev.apprentice.shards import Making, Rows, list_row, program_row
from chatdev.apprentice.slots import listed
from chatdev.apprentice.streams import READ, SETTING, VALUE, Book, Row
from tests.apprentice import tiny


def test_rows_grow_and_every_batch_is_made_again_from_its_number(tokenizer, spelling, rows):
    mix = Mix(2048, drills=0.3, shortest=128, longest=4096, grown=0.5)
    early, late = (chunk(Material(rows), spelling, mix, 3, 7, progress, 0) for progress in (0.0, 0.6))
    assert max(batch.ids.shape[1] for batch in early) <= 256
    assert max(batch.ids.shape[1] for batch in late) > 1000
    again = chunk(Material(rows), spelling, mix, 3, 7, 0.6, 0)
    assert all(torch.equal(one.ids, two.ids) for one, two in zip(late, again, strict=True))
    for batch in late:
        assert ((batch.weights > 0) == (batch.kinds > 0)).all()
        ends = (batch.ids != 0).sum(1) - 1
        assert (batch.kinds[torch.arange(len(ends)), ends] > 0).all(), "what nobody learns was left at the end of a row"


def test_the_token_that_a_reply_begins_with_weighs_what_the_recipe_says(tokenizer, spelling, rows):
    mix = Mix(2048, drills=0.3, emphasis=3, opening=12)
    seen = Counter()
    for batch in chunk(Material(rows), spelling, mix, 3, 7, 0.6, 0):
        for kinds, weights in zip(batch.kinds.tolist(), batch.weights.tolist(), strict=True):
            for before, kind, weight in zip([0, *kinds], kinds, weights, strict=False):
                wanted = 0 if kind == READ else 12 if before == READ else 3 if kind in (VALUE, SETTING) else 1
                assert weight == wanted
                seen[weight] += 1
    assert set(seen) == {0, 1, 3, 12}


def test_what_is_said_of_a_piece_counts_as_a_value(tokenizer, spelling):
    row = reading(spelling, None, "Build a chess engine, with clocks.")
    heavy = [one for one, kind in zip(row.ids, row.kinds(), strict=True) if kind == VALUE]
    assert tokenizer.decode(heavy).strip() == "[PROGRAM = unknown]"


def test_what_is_found_wrong_with_a_program_counts_as_a_value(tokenizer, spelling):
    found = "The test is wrong: tests/test_a.py has `assert A == 3`, but the task says 2.\nUse 2."
    book = Book(spelling, "head")
    book.say(f"It is so.\n\n{found}\n\nThat is all.", values=())
    row = book.row()
    heavy = tokenizer.decode([one for one, kind in zip(row.ids, row.kinds(), strict=True) if kind == VALUE])
    assert heavy.strip() == found


def test_an_endless_stream_learns_all_but_its_head_and_what_is_wrong_on_purpose(tokenizer, spelling):
    lessons = [tiny.lesson("counter", seed) for seed in (3, 4, 5)]
    one = tiny.DEFECTS[0]
    course = Course(Fault(one.path, one.good, one.bad, one.review, one.summary, True))
    done = [rehearse(lesson, course, default_company(), spelling) for lesson in lessons]
    row = endless(spelling, zip(lessons, done, strict=True), 2_000)
    read = [token for token, kind in zip(row.ids, row.kinds(), strict=True) if kind == READ]
    assert row.ids[: row.sinks] == read[: row.sinks]
    assert "max(LIMIT," in tokenizer.decode(read), "the faulty program stands in it and is not learned"
    learned = tokenizer.decode([token for token, kind in zip(row.ids, row.kinds(), strict=True) if kind])
    assert "min(LIMIT," in learned
    assert learned.count("The customer's task:") >= 2, "one task after the other"
    assert len(row.ids) == 2_000


def test_what_a_task_leaves_open_weighs_as_much_as_what_it_tells(tokenizer, spelling):
    lesson = tiny.lesson("counter", 3)
    row = settings(spelling, lesson, lesson.task)
    heavy = tokenizer.decode([one for one, kind in zip(row.ids, row.kinds(), strict=True) if kind in (VALUE, SETTING)])
    lines = listed(lesson).splitlines()
    assert len(lines) > len(lesson.told)
    assert all(line in heavy for line in lines)


def test_programs_without_what_is_asked_are_the_wanted_share_of_the_rows(tokenizer, spelling, rows):
    programs = Rows.of([Row("programs", 1, [1, *range(100, 160)], [(1, 61)])])
    for built in (0.0, 0.5):
        mix = Mix(4096, drills=0.0, shortest=256, longest=256, built=built)
        batches = chunk(Material(rows, programs=programs), spelling, mix, 3, 7, 1.0, 0)
        firsts = [row[1] for batch in batches for row in batch.ids.tolist()]
        assert firsts.count(100) / len(firsts) == pytest.approx(built, abs=0.1)


def test_a_training_begins_with_drills_alone_most_of_them_settings_of_real_tasks(tokenizer, spelling, rows):
    making = Making("", 1, "tests.apprentice.tiny")
    lists = Rows.of([list_row(making, number, spelling, tiny) for number in range(40)])
    mix = Mix(2048, drills=0.2, alone=0.1, shortest=384, grown=0.5)
    assert [mix.drilled(progress) for progress in (0.0, 0.09, 0.3, 0.5, 1.0)] == pytest.approx([1, 1, 0.6, 0.2, 0.2])
    ask = spelling.plain(READ_ALOUD)

    def drilled(progress):
        rows_of = [
            one
            for batch in chunk(Material(rows, lists), spelling, mix, 3, 7, progress, 0)
            for one in batch.ids.tolist()
        ]
        return sum(any(one[at : at + len(ask)] == ask for at in range(len(one))) for one in rows_of) / len(rows_of)

    assert drilled(0.0) > 0.6
    assert drilled(1.0) < 0.35


def test_a_program_without_what_is_asked_holds_what_the_company_says_and_little_else(spelling):
    made = program_row(Making("", 1, "tests.apprentice.tiny"), 7, spelling, tiny)
    said = [spelling.speller.tokenizer.decode(made.ids[start:end]) for start, end in made.own]
    for text, path in zip(said[1:], ("counter.py", "tests/test_counter.py", "manual.md"), strict=True):
        assert f'<file path="{path}">' in text
    assert "PROGRAM = counter" in said[0]
    limit = next(line for line in said[1].splitlines() if line.startswith("LIMIT = "))
    assert limit in said[0]
    assert sum(end - start for start, end in made.own) > 0.7 * len(made.ids)
