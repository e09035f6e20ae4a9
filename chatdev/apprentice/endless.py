"""A stream that goes on for ever: one agent's dialogues on one task after the other.

The dialogue of one task leaves the window once or twice; a stream that is kept open leaves it hundreds of times. So
such streams are learned as well, and all of them: what is asked and shown as well as what is answered, since their
perplexity is measured (`benchmarks.apprentice perplexity`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from chatdev.apprentice.slots import told_values
from chatdev.apprentice.streams import Book, Row, Spelling
from chatdev.chain.crew import Crew

if TYPE_CHECKING:
    from chatdev.apprentice.curriculum import Lesson
    from chatdev.apprentice.rehearsal import Rehearsed

ROLE = "programmer"


def endless(spelling: Spelling, dialogues: Iterable[tuple[Lesson, Rehearsed]], tokens: int) -> Row:
    """The first `tokens` of a stream: its pinned head is that of the first task. What was said wrongly on purpose is
    only read.

    Raises:
        ValueError: the dialogues end before.
    """
    book: Book | None = None
    flawed: list[tuple[int, int]] = []
    for lesson, done in dialogues:
        book = book or Book(spelling, Crew.head_of(done.bundle, ROLE, lesson.task), "endless")
        for event in done.events:
            if event.get("agent") != ROLE or event.kind not in ("told", "said"):
                continue
            if event.kind == "told":
                task = f"The customer's task:\n{lesson.task}\n\n" if event["phase"] == "coding" else ""
                book.hear(task + event["text"])
                continue
            span = book.say(event["text"], values=told_values(lesson))
            if event["text"] in done.flawed:
                flawed.append(span)
        if len(book.ids) >= tokens:
            return _cut(book, flawed, tokens)
    raise ValueError(f"the dialogues have fewer than {tokens:,} tokens")


def _cut(book: Book, flawed: list[tuple[int, int]], tokens: int) -> Row:
    """All but the head and what is flawed is learned."""
    own, at = [], book.sinks
    for start, end in [*flawed, (tokens, tokens)]:
        if at < min(start, tokens):
            own.append((at, min(start, tokens)))
        at = end
    good = [one for one in book.values if one.end <= tokens and not any(a <= one.start < b for a, b in flawed)]
    return Row("endless", book.sinks, book.ids[:tokens], own, good)
