"""What the apprentice knows, looked up in what it says: it was taught some kinds of programs and short tasks only.

It says itself when a task is strange to it, but not every time. Its analysis repeats the task piece by piece, so
whether it understood can be read there, by rules and without another model: it names a program it was taught, it goes
through the pieces one by one, and what it does not repeat it did not take over.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import zip_longest

from chatdev.chain.pieces import LONGEST, pieces
from chatdev.errors import UserError

_LINE = re.compile(r"^(\d+): *(.*)$")
_MARK = re.compile(r"\[([A-Z][A-Z0-9_]*) = ([^\n]*?)\]")
PROGRAM = "PROGRAM"
"""The mark that names the kind of program."""


class TaughtBounds:
    """The bounds of a model that was taught `families`; see `llm.base.Bounds`."""

    def __init__(self, families: Collection[str]) -> None:
        self.families = frozenset(families)

    def check(self, task: str) -> None:
        """Refuse a task that it cannot read.

        Raises:
            UserError: the task is too long to be taken apart.
        """
        if not pieces(task):
            raise UserError(
                f"the bundled apprentice reads tasks of at most {LONGEST:,} characters, and this one has {len(task):,}",
                fix="Say it in a few sentences, or name a model with --model",
            )

    def beyond(self, task: str, analysis: str) -> str | None:
        """Why an analysis shows that the task was not understood; None when it was."""
        if not self.families.intersection(value for name, value in _MARK.findall(analysis) if name == PROGRAM):
            return "it names no program that it was taught"
        if [number for number, _ in _lines(analysis)] != list(range(1, len(pieces(task)) + 1)):
            return "it lost its way in the task; a shorter one may help"
        return None

    def overlooked(self, task: str, analysis: str) -> list[str]:
        """What of the task an analysis did not repeat. Words like "Thank you!" tell nothing and are repeated all the
        same."""
        said = dict(_lines(analysis))
        lost = []
        for number, piece in enumerate(pieces(task), 1):
            line = said.get(number, "")
            if not line.startswith(piece):
                same = next(i for i, (a, b) in enumerate(zip_longest(line, piece)) if a != b)
                lost.append(piece[same:].strip() or piece)
        return lost


def _lines(analysis: str) -> list[tuple[int, str]]:
    """The numbered lines that an analysis begins with."""
    found = []
    for line in analysis.strip().splitlines():
        numbered = _LINE.match(line)
        if numbered is None:
            break
        found.append((int(numbered[1]), numbered[2]))
    return found
