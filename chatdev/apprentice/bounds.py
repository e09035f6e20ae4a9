"""What the apprentice knows, looked up in what it says: it was taught some kinds of programs and short tasks only.

It says itself when a task is strange to it, but not every time. Its analysis repeats the task piece by piece, so
whether it understood can be read there, by rules and without another model: it names a program it was taught, it goes
through the pieces one by one, and what it does not repeat it did not take over.

A reply is judged by the model that said it, so a resumed run comes to the same, whichever model goes on.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import zip_longest

from chatdev.apprentice import NAME, families
from chatdev.chain.pieces import LONGEST, pieces

_LINE = re.compile(r"^(\d{1,6}): *(.*)$")
_PROGRAM = re.compile(r"\[PROGRAM = ([^\n\]]*)\]")


@dataclass(frozen=True)
class Bounds:
    """What a model knows that was taught some kinds of programs."""

    families: Collection[str]

    def too_long(self, task: str) -> str | None:
        """Why a task cannot even be taken apart; None when it can."""
        if pieces(task):
            return None
        return f"the bundled apprentice reads tasks of at most {LONGEST:,} characters, and this one has {len(task):,}"

    def too_dense(self) -> str:
        """Why a task of few enough characters does not fit all the same."""
        return (
            "the bundled apprentice cannot hold a task of so many tokens; capitals, digits and other alphabets take "
            "more of them than plain English does"
        )

    def beyond(self, task: str, analysis: str) -> str | None:
        """Why an analysis shows that the task was not understood; None when it was."""
        parts, lines = pieces(task), _lines(analysis)
        # A mark that stands in the task itself is repeated with it and tells nothing.
        told = [text.removeprefix(part) for part, (_, text) in zip(parts, lines, strict=False)]
        if not any(name in self.families for name in _PROGRAM.findall("\n".join(told))):
            return "it names no program that the apprentice was taught"
        if [number for number, _ in lines] != list(range(1, len(parts) + 1)):
            return "it lost its way in the task; fewer or plainer words may help"
        return None

    def overlooked(self, task: str, analysis: str) -> list[str]:
        """What of the task an analysis did not repeat. Words like "Thank you!" tell nothing and are repeated all the
        same."""
        said = dict(_lines(analysis))
        lost = []
        for number, piece in enumerate(map(_plain, pieces(task)), 1):
            line = _plain(said.get(number, ""))
            if not line.startswith(piece):
                same = next(i for i, (a, b) in enumerate(zip_longest(line, piece)) if a != b)
                lost.append(piece[same:].strip() or piece)
        return [part for part in lost if re.search(r"\w", part)]


def bounds_of(model: str) -> Bounds | None:
    """The bounds of the model of this name; None for one that may be asked anything."""
    return Bounds(frozenset(families())) if model == NAME else None


def _plain(text: str) -> str:
    """A text with every run of blanks, of whatever kind, as one."""
    return " ".join(text.split())


def _lines(analysis: str) -> list[tuple[int, str]]:
    """The numbered lines that an analysis begins with."""
    found = []
    for line in analysis.strip().split("\n"):
        numbered = _LINE.match(line)
        if numbered is None:
            break
        found.append((int(numbered[1]), numbered[2]))
    return found
