"""Where a block ends. The hard part of reading a reply, because files may hold the very lines that close a block.

Rules, in this order:

* Python, JSON and TOML are checked: the first closing line up to which the text parses ends the block. When none
  does, the first closing line ends it, and the syntax error is told later.
* Markdown in a fence: fences inside are paired (one with an info string opens, a bare one closes the open one), and the
  last closing line that leaves all pairs complete ends it, looking no further than the next fence that has a file name.
* Anything else in a fence: the first bare fence after inner pairs that begin with an info string.
* Anything else in <file>: the first `</file>`, or with <file> tags inside, the one that balances them.

A block that has no closing line, or another file's opening before the first one, is not closed: it is reported and
never guessed. Candidates are bounded, so no reply makes this quadratic for long.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from chatdev.software.syntax import can_prove, syntax_problem

_CANDIDATES = 24
"""Closing lines tried by parsing before the first is taken."""
_TRIES = 1_000
"""Closing lines tried by parsing in a whole reply; then every first one is taken."""
_CHARS_TRIED = 12_000_000
"""Characters parsed in a whole reply while looking for the ends of blocks."""
_MARKS_INSIDE = 400
"""Fence lines or tags looked at inside one block."""
_TAG_LINE = 1000

_TAG = re.compile(r"^\s*<(file|delete)(?=[\s/>])([^<>]*?)(/?)>(.*)$", re.IGNORECASE)
_CLOSE = re.compile(r"^\s*</(file|delete)\s*>\s*$", re.IGNORECASE)
_PATH = re.compile(
    r"(?:^|\s)(?:path|name|filename)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'/>]+(?:/[^\s\"'/>]+)*))", re.I
)
_FENCE = re.compile(r"^([ \t]*)(`{3,}|~{3,})([^\r]*?)[ \t]*\r?$")


@dataclass(frozen=True)
class Tag:
    """A tag alone on its line. `inline`: an opening <file> with text after it on the same line."""

    kind: Literal["file", "delete", "close", "empty", "inline"]
    path: str = ""


@dataclass(frozen=True)
class FenceOpen:
    """A fence line: its indentation, its marker (such as ````` ``` `````) and what follows."""

    indent: int
    marker: str
    info: str

    def closes(self, opening: FenceOpen) -> bool:
        """A bare line of the same character, at least as long, at most three columns further in."""
        same = self.marker[0] == opening.marker[0] and len(self.marker) >= len(opening.marker)
        return same and not self.info and self.indent <= opening.indent + 3


@dataclass(frozen=True)
class End:
    """The closing line (index), where to go on reading, and why there is none."""

    line: int
    resume: int
    why: str = ""

    @property
    def missing(self) -> bool:
        return bool(self.why)


def read_tag(line: str) -> Tag | None:
    """Read a line as one of our tags, or None. Tags inside a sentence or in quotes are text."""
    if len(line) > _TAG_LINE or "<" not in line:
        return None
    if match := _CLOSE.match(line):
        return Tag("close") if match[1].lower() == "file" else None
    if not (match := _TAG.match(line)):
        return None
    kind, attributes, slash, rest = match[1].lower(), match[2], match[3], match[4].strip()
    found = _PATH.search(attributes)
    path = (found[1] or found[2] or found[3] or "").strip() if found else ""
    if kind == "delete":
        return Tag("delete", path) if rest.lower() in ("", "</delete>") else None
    if rest:
        return Tag("inline", path) if path else None
    return Tag("empty" if slash else "file", path)


def read_fence(line: str) -> FenceOpen | None:
    """Read a line as a fence, or None. An info string holds no back-tick when the fence is made of them."""
    if len(line) > _TAG_LINE or not (match := _FENCE.match(line)):
        return None
    info = match[3].strip()
    if match[2][0] == "`" and "`" in info:
        return None
    return FenceOpen(len(match[1].expandtabs(4)), match[2], info)


class Marks:
    """Every tag and fence line of a reply, found once; a search from any line on costs only what it looks at."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.tags: dict[int, Tag] = {}
        self.fences: dict[int, FenceOpen] = {}
        for at, line in enumerate(lines):
            if "<" in line and (tag := read_tag(line)):
                self.tags[at] = tag
            elif ("```" in line or "~~~" in line) and (fence := read_fence(line)):
                self.fences[at] = fence
        self.tries, self.chars = _TRIES, _CHARS_TRIED
        self._tag_lines, self._fence_lines = list(self.tags), list(self.fences)

    def tags_from(self, start: int) -> Iterator[tuple[int, Tag]]:
        """Tags at `start` and below it."""
        for at in islice(self._tag_lines, bisect_left(self._tag_lines, start), None):
            yield at, self.tags[at]

    def fences_from(self, start: int) -> Iterator[tuple[int, FenceOpen]]:
        """Fence lines at `start` and below it."""
        for at in islice(self._fence_lines, bisect_left(self._fence_lines, start), None):
            yield at, self.fences[at]


def end_of_tag(marks: Marks, start: int, path: str) -> End:
    """Find the `</file>` of the block whose first line is `start`."""
    closings: list[int] = []
    nested: int | None = None
    balanced, depth = None, 1
    for at, tag in islice(marks.tags_from(start), _MARKS_INSIDE):
        if tag.kind == "file" and tag.path:
            nested = at if nested is None else nested
            depth += 1
        elif tag.kind == "close":
            closings.append(at)
            depth -= 1
            balanced = at if depth == 0 and balanced is None else balanced
        if len(closings) >= _CANDIDATES and (balanced is not None or nested is None or nested > closings[0]):
            break
    if not closings:
        return _unclosed(marks, start, nested)
    if can_prove(path):
        proved = _first_that_parses(marks, start, closings, path)
        if proved is not None:
            return End(proved, proved + 1)
    if nested is None or nested > closings[0]:
        return End(closings[0], closings[0] + 1)
    if can_prove(path) or balanced is None:
        return _unclosed(marks, start, nested)
    return End(balanced, balanced + 1)


def _unclosed(marks: Marks, start: int, nested: int | None) -> End:
    stop = len(marks.lines) if nested is None else nested
    glued = any(line.rstrip().lower().endswith("</file>") for line in marks.lines[start:stop])
    why = "its closing tag </file> must stand alone on a line" if glued else "its block was not closed with </file>"
    return End(stop, stop, why)


def _first_that_parses(marks: Marks, start: int, closings: list[int], path: str, indent: int = 0) -> int | None:
    for at in closings[:_CANDIDATES]:
        body = dedented(marks.lines[start:at], indent)
        inner = unwrapped(body, path) if indent == 0 else None
        text = "".join(f"{line}\n" for line in (body if inner is None else inner))
        marks.tries, marks.chars = marks.tries - 1, marks.chars - len(text)
        if marks.tries < 0 or marks.chars < 0:
            return None
        if syntax_problem(path, text) is None:
            return at
    return None


def end_of_fence(
    marks: Marks, here: int, fence: FenceOpen, name: str | None, names_a_file: Callable[[int], bool]
) -> End:
    """Find the closing line of the fence that opens at `here`.

    Args:
        name: the file's name, None for a block that is only shown.
        names_a_file: tells whether the fence that opens at a line has a file name of its own.
    """
    lines, count = marks.lines, len(marks.lines)
    inside = [
        (at, mark)
        for at, mark in islice(marks.fences_from(here + 1), _MARKS_INSIDE)
        if mark.marker[0] == fence.marker[0]
    ]
    if name is not None and can_prove(name):
        closings = [at for at, mark in inside if mark.closes(fence)]
        proved = _first_that_parses(marks, here + 1, closings, name, fence.indent)
        if proved is not None:
            return End(proved, proved + 1)
    tagged = next((at for at, tag in marks.tags_from(here + 1) if tag.kind == "file" and tag.path), count)
    named = next((at for at, mark in inside if mark.info and names_a_file(at)), count)
    if name is not None and is_markdown(name):
        end = _paired_end(inside, fence, min(tagged, named), longest=True)
        end = _paired_end(inside, fence, count, longest=False) if end is None else end
    else:
        end = _paired_end(inside, fence, min(tagged, named), longest=False)
    if end is not None:
        return End(end, end + 1)
    stop = min(_above(lines, named), tagged)
    return End(stop, stop, f"its block was not closed with {fence.marker}")


def _above(lines: list[str], fence: int) -> int:
    """The line with the name of the fence that opens at `fence`: reading must go on there."""
    at = fence
    while at > 0 and fence < len(lines) and fence - at < 3:
        at -= 1
        if lines[at].strip():
            return at
    return fence


def _paired_end(marks: list[tuple[int, FenceOpen]], fence: FenceOpen, bound: int, *, longest: bool) -> int | None:
    """Walk the fence lines inside a block as pairs; see the rules at the head of this file."""
    found: int | None = None
    inner: FenceOpen | None = None
    for at, mark in marks:
        if at >= bound:
            break
        if inner is not None:
            if mark.closes(inner):
                inner = None
            elif mark.info:
                break
        elif mark.info:
            inner = mark
        elif mark.closes(fence):
            found = at
            if not longest:
                return found
            inner = mark
    return found


def wraps_tags(marks: Marks, here: int, fence: FenceOpen) -> bool:
    """A fence around <file> tags: a model that put its whole answer in one, or that left a fence open before them."""
    tag = next((at for at, tag in marks.tags_from(here + 1) if tag.path and tag.kind != "inline"), None)
    if tag is None or any(at < tag and mark.closes(fence) for at, mark in islice(marks.fences_from(here + 1), 50)):
        return False
    return not fence.info or not "".join(marks.lines[here + 1 : tag]).strip()


def unwrapped(body: list[str], path: str) -> list[str] | None:
    """The lines inside, when the whole content is one fenced block and the file is not Markdown; else None."""
    if is_markdown(path):
        return None
    first = next((at for at, line in enumerate(body) if line.strip()), None)
    last = next((at for at in range(len(body) - 1, -1, -1) if body[at].strip()), None)
    if first is None or last is None or first == last:
        return None
    opening, ending = read_fence(body[first]), read_fence(body[last])
    if opening is None or ending is None or not ending.closes(opening):
        return None
    inner = body[first + 1 : last]
    if not any((mark := read_fence(line)) and mark.closes(opening) for line in inner):
        return inner
    proved = can_prove(path) and syntax_problem(path, "".join(f"{line}\n" for line in inner)) is None
    return inner if proved else None


def dedented(body: list[str], indent: int) -> list[str]:
    """Take the fence's own indentation off its lines, when every line has it (a fence inside a list item)."""
    if not indent or any(line.strip() and not line.startswith(" " * indent) for line in body):
        return body
    return [line[indent:] if line.strip() else line for line in body]


def is_markdown(path: str) -> bool:
    """A file that may hold fences of its own."""
    return path.lower().endswith((".md", ".markdown", ".mdx"))
