"""Slots: the values a task gives (names, numbers, texts), and where they must stand again.

A small model learns programs by heart in minutes; copying what one task says into one program is the hard part. So
slots are measured by themselves: the share of values that stand right in the settings block.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chatdev.chain.pieces import numbered, pieces

if TYPE_CHECKING:
    from chatdev.apprentice.curriculum import Lesson

_SETTING = re.compile(r"^[A-Z][A-Z0-9_]*(?: *:[^=\n]+)? = .*$", re.MULTILINE)
_BLOCK = re.compile(r"(?:^[A-Z][A-Z0-9_]*(?: *:[^=\n]+)? = .*\n)+", re.MULTILINE)
_MARK = re.compile(r"\[[A-Z_]+ = [^\n]*?\](?= \[|\n+|\Z)\n*")
_FINDING = re.compile(r"^(?:1\. |The test is wrong: )?[\w/]+\.py(?:,| has) .*(?:\n(?!\n|<).+)*", re.MULTILINE)
_CHECK = re.compile(r"^ *assert .*$", re.MULTILINE)


@dataclass(frozen=True)
class Span:
    """Tokens [start, end) that spell a value."""

    start: int
    end: int
    setting: bool
    """It stands in a settings block."""


def told_values(lesson: Lesson) -> list[str]:
    """The values that a lesson's task names, as they are written."""
    found = [lesson.choices[name] for name in lesson.told]
    texts = [str(value) for value in found if not isinstance(value, bool) and isinstance(value, str | int | float)]
    return [text for text in dict.fromkeys(texts) if text and text in lesson.task]


def settings_of(files: Mapping[str, str]) -> dict[str, str]:
    """NAME -> what is written behind it, of every constant at the head of a program's files."""
    found: dict[str, str] = {}
    for text in files.values():
        for line in _SETTING.findall(text):
            name, _, value = line.partition(" = ")
            found.setdefault(name.partition(":")[0].strip(), value.strip())
    return found


def agreed(lesson: Lesson) -> str:
    """What the analysis of a lesson's task says: the task piece by piece, each with what it tells behind it; then the
    whole list, what was chosen and the settings word for word as the program has them.

    Whoever writes the program or its tests copies lines; only here the task has to be read, and while it is copied
    what a piece tells is asked right behind it.
    """
    return f"{read_aloud(lesson)}\n\n{listed(lesson)}"


def read_unknown(task: str) -> str:
    """The same of a task that nobody taught: there is nothing to say but that, where else the program is named."""
    lines, parts = numbered(task).splitlines() or [""], pieces(task) or [""]
    at = next((at for at, part in enumerate(parts[:-1]) if not _opens(part)), len(parts) - 1)
    lines[at] += " [PROGRAM = unknown]"
    return "\n".join(lines).lstrip()


def _opens(piece: str) -> bool:
    """Whether a piece only leads to what is wanted: `Hello!`, `New project:`, `Using Python,`."""
    return piece.endswith((":", ",", "!")) and len(piece.split()) < 5


def read_aloud(lesson: Lesson) -> str:
    """The task in numbered pieces, each with `[NAME = value]` for everything that it tells."""
    settings = settings_of({"list": listed(lesson)})
    marks, done, found = list(lesson.marks), 0, []
    for line, piece in zip(numbered(lesson.task).splitlines(), pieces(lesson.task), strict=True):
        done = lesson.task.index(piece, done) + len(piece)
        while marks and marks[0].end <= done:
            for name in marks.pop(0).names:
                value = settings.get(name.upper(), written(lesson.choices.get(name, lesson.family)))
                line += f" [{name.upper()} = {value}]"
        found.append(line)
    return "\n".join(found)


def listed(lesson: Lesson) -> str:
    """What a program's writer has to know, line by line."""
    blocks = [found[0] for text in lesson.program.files.values() for found in _BLOCK.finditer(text)]
    block = max(blocks, key=lambda one: one.count("\n"), default="")
    chosen = "".join(
        f"{name.upper()} = {written(value)}\n"
        for name, value in lesson.choices.items()
        if isinstance(value, bool) or (isinstance(value, str) and value not in block)
    )
    return f"PROGRAM = {lesson.family}\n{chosen}{block}"


def written(value: str | int | bool) -> str:
    """How an analysis writes a value."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def character_spans(text: str, values: Sequence[str]) -> list[tuple[int, int, bool]]:
    """(start, end, it is a told value in a settings block): told values in settings and in assertions, told texts
    anywhere, settings as whole lines, as what the task leaves open has to be right as well, all that is said of a
    piece of a task, and what is found wrong with a program: a few words on which a whole file depends."""
    found = [(*match.span(), False) for said in (_MARK, _FINDING) for match in said.finditer(text)]
    settings = [match.span() for match in _SETTING.finditer(text)]
    found += [(*span, False) for span in settings]
    checks = [match.span() for match in _CHECK.finditer(text)]
    for value in values:
        for match in re.finditer(rf"(?<![\w.]){re.escape(value)}(?![\w]|\.\d)", text):
            setting = any(start <= match.start() < end for start, end in settings)
            check = any(start <= match.start() < end for start, end in checks)
            if setting or check or len(value) > 3:
                found.append((match.start(), match.end(), setting))
    return found


def token_spans(text: str, values: Sequence[str], tokenizer: Any) -> list[Span]:
    """The same in tokens of the text."""
    wanted = character_spans(text, values)
    if not wanted:
        return []
    offsets = tokenizer(text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True)
    places: list[tuple[int, int]] = offsets["offset_mapping"]
    found: list[Span] = []
    for start, end, setting in wanted:
        inside = [at for at, (left, right) in enumerate(places) if left < end and right > start]
        if inside:
            found.append(Span(inside[0], inside[-1] + 1, setting))
    return found
