"""Drills: what copying is, without any program around it, mixed in from the first step of the training to the last.

    copy       a random run of tokens comes again after some filler: at every distance, of every length
    recall     pairs of a word and a value; then the words in another order, each to be answered with its value
    settings   a real task, and only what its analysis says of it
    reading    the first half of that
    building   everything that is said when its program is built, and hardly anything of what is asked and shown

Deterministic for a given `random.Random`.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from chatdev.apprentice.slots import agreed, read_aloud, read_unknown, told_values
from chatdev.apprentice.streams import Book, Row, Spelling
from chatdev.chain.pieces import numbered

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatdev.apprentice.curriculum import Lesson

SYLLABLES = """
a ba be bi bo bra bu ca ce cha co cri da de di do dra du e el en fa fe fi flo fo ga ge gi glo go gra ha he hi ho
i in ja jo ka ke ki kla ko kri la le li lo lu ma me mi mo mu na ne ni no nu o or pa pe phi pi pla po pra qua ra
re ri ro ru sa sche se si sko so sta su ta te thi ti to tra tu ul va ve vi vo wa we wi wo xa xe ya yo za ze zi zu
""".split()  # noqa: SIM905
READ_ALOUD = "Repeat these lines, and behind each say what it tells the program."
LIST_THEN = "Then list what the program needs to know, one line each."
WRITE = {
    "coding": "Write the whole program.",
    "test_writing": "Write tests for what the task promises.",
    "manual": "Write the manual.",
}
"""What is asked for in each phase."""
ASK = "List only what the program needs to know, one line each."


def copy(spelling: Spelling, rng: random.Random, longest: int) -> Row:
    """A run of tokens, filler, the run again; several times in one row."""
    words = range(6, len(spelling.speller.tokenizer))
    ids = spelling.speller.markers(spelling.speller.chat.before_head)
    sinks = len(ids)
    own: list[tuple[int, int]] = []
    while len(ids) < longest // 2:
        size = rng.randint(3, min(48, longest // 5))
        run = rng.choices(words, k=size)
        filler = rng.choices(words, k=int(longest ** rng.random()) - 1)
        ids += run + filler[: max(0, longest - len(ids) - 2 * size)]
        # The first two tokens show what is repeated; only the rest can be known.
        own.append((len(ids) + 2, len(ids) + size))
        ids += run
    return Row("copy", max(sinks, 1), ids, own)


def value(rng: random.Random) -> str:
    """A value nobody knows by heart: a number, or words made of syllables, quoted."""
    if rng.random() < 0.45:
        return str(rng.randrange(10 ** rng.randint(1, 4)))
    words = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.7:
        words = [word.capitalize() for word in words]
    return f'"{" ".join(words)}"'


def recall(spelling: Spelling, rng: random.Random, longest: int, filler: str = "") -> Row:
    """A list of settings in a sentence, then the same as code, in another order."""
    count = rng.randint(2, max(2, min(8, longest // 30)))
    names = ["_".join(rng.choices(SYLLABLES, k=rng.randint(1, 3))) for _ in range(count)]
    pairs = list(dict(zip(names, (value(rng) for _ in names), strict=True)).items())
    shape = rng.choice(("the {} is {}", "{}: {}", "{} {}", "with {} {}", "{} should be {}", "a {} of {}"))
    told = rng.choice((", ", "; ", ". ", "\n- ")).join(shape.format(name, what) for name, what in pairs)
    book = Book(spelling, told[: longest * 3], "recall")
    room = longest - len(book.ids) - 20 * count
    if filler and room > 40:
        start = rng.randrange(max(1, len(filler) - 200))
        book.hear(filler[start : start + rng.randrange(20, room * 3)])
    else:
        book.hear(ASK)
    rng.shuffle(pairs)
    text = "".join(f"{name.upper()} = {what}\n" for name, what in pairs)
    book.say(text, values=[what.strip('"') for _, what in pairs])
    return book.row()


def settings(spelling: Spelling, lesson: Lesson, head: str, between: str = "") -> Row:
    """What a lesson's program has to know, right behind its task or with some text between the two."""
    book = Book(spelling, head, "settings")
    asked = _asked(lesson.task)
    book.hear(f"{between}\n\n{asked}" if between else asked)
    book.say(agreed(lesson), values=told_values(lesson))
    return book.row()


def reading(spelling: Spelling, lesson: Lesson | None, task: str) -> Row:
    """The task piece by piece, and behind each what it tells: nothing but what reading a task asks for."""
    book = Book(spelling, task, "reading")
    book.hear(f"{numbered(task)}\n\n{READ_ALOUD}")
    if lesson is None:
        book.say(read_unknown(task))
    else:
        book.say(read_aloud(lesson), values=told_values(lesson))
    return book.row()


def building(spelling: Spelling, lesson: Lesson, answer_in: Callable[[str], str]) -> Row:
    """A program from its task to its manual: nearly all of it is learned, and of a dialogue a fifth."""
    book = Book(spelling, lesson.task, "building")
    book.hear(_asked(lesson.task))
    values = told_values(lesson)
    book.say(answer_in("demand_analysis"), values=values)
    for phase, ask in WRITE.items():
        book.hear(ask)
        book.say(answer_in(phase), values=values)
    return book.row()


def _asked(task: str) -> str:
    return f"{numbered(task)}\n\n{READ_ALOUD} {LIST_THEN}"


def drill(spelling: Spelling, rng: random.Random, longest: int, filler: str = "") -> Row:
    """Any drill that needs no lesson."""
    if rng.random() < 0.35:
        return copy(spelling, rng, rng.randint(24, max(32, longest)))
    return recall(spelling, rng, longest, filler if rng.random() < 0.6 else "")
