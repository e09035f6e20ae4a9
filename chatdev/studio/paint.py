"""Source text and patches as coloured pieces: `[class, text]` pairs a line, for a page that only ever sets text.

The classes are pygments' short names (`k` keyword, `s` string …). Pieces of a line joined are the line, exactly.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

Piece = list[str]
Line = list[Piece]
LONGEST = 200_000
"""Characters that are coloured at once; a longer text stays plain."""
MOST_LINES = 3_000
"""Lines of one file's patch that are sent."""
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@(.*)")


def paint(path: str, text: str) -> list[Line]:
    """The lines of a file; colours by the file's name."""
    from pygments import lex
    from pygments.lexers import get_lexer_for_filename
    from pygments.token import STANDARD_TYPES
    from pygments.util import ClassNotFound

    plain = text.split("\n")
    if len(text) > LONGEST:
        return [[["", line]] for line in plain]
    try:
        lexer = get_lexer_for_filename(path.rsplit("/", 1)[-1], stripnl=False, ensurenl=False)
    except ClassNotFound:
        return [[["", line]] for line in plain]
    lines: list[Line] = [[]]
    for token, value in lex(text, lexer):
        name = next((STANDARD_TYPES[one] for one in reversed(token.split()) if STANDARD_TYPES.get(one)), "")
        first, *more = value.split("\n")
        for number, part in enumerate([first, *more]):
            if number:
                lines.append([])
            if part:
                lines[-1].append([name, part])
    same = ["".join(piece[1] for piece in line) for line in lines]
    # A lexer may rewrite line ends; what it changed is shown as it was, without colours.
    return lines if same == plain else [[["", line]] for line in plain]


@dataclass
class _Hunk:
    old: int
    new: int
    note: str
    lines: list[tuple[str, str]] = field(default_factory=list)


def read_patch(text: str) -> list[dict[str, Any]]:
    """A git patch as files `{path, status, binary, cut, hunks}`; a hunk has a note and lines with sign and numbers."""
    return [_file(part) for part in re.split(r"^(?=diff --git )", text, flags=re.MULTILINE) if part.startswith("diff ")]


def _file(text: str) -> dict[str, Any]:
    path, status, binary = "", "modified", False
    hunks: list[_Hunk] = []
    lines = text.split("\n")
    for line in lines[:-1] if lines[-1] == "" else lines:
        found = _HUNK.match(line)
        if found:
            hunks.append(_Hunk(int(found[1]), int(found[2]), found[3].strip()))
        elif hunks:
            if line[:1] in ("+", "-", " ", "\\"):
                hunks[-1].lines.append((line[:1], line[1:]))
            elif not line:
                hunks[-1].lines.append((" ", ""))
        elif line.startswith(("+++ ", "--- ")):
            named = _unquoted(line[4:].rstrip("\t"))
            path = named[2:] if named != "/dev/null" else path
        elif line.startswith("new file"):
            status = "created"
        elif line.startswith("deleted file"):
            status = "deleted"
        elif line.startswith("Binary files"):
            binary = True
    if not path:
        head = lines[0].removeprefix("diff --git ")
        path = head[2 : len(head) // 2] if head.startswith("a/") else head
    room = MOST_LINES
    shown = []
    for hunk in hunks:
        if room <= 0:
            break
        shown.append(_painted(path, hunk, room))
        room -= len(hunk.lines)
    return {"path": path, "status": status, "binary": binary, "cut": room < 0, "hunks": shown}


def _painted(path: str, hunk: _Hunk, room: int) -> dict[str, Any]:
    """Both sides of a hunk are coloured as wholes, so that a text over several lines is one."""
    lines = hunk.lines[:room]
    sides = {
        drop: iter(paint(path, "\n".join(text for sign, text in lines if sign not in (drop, "\\")))) for drop in "+-"
    }
    old, new = hunk.old, hunk.new
    shown: list[dict[str, Any]] = []
    for sign, text in lines:
        if sign == "\\":
            shown.append({"sign": "\\", "old": None, "new": None, "pieces": [["", text.strip()]]})
            continue
        before = next(sides["+"], [["", text]]) if sign in " -" else None
        after = next(sides["-"], [["", text]]) if sign in " +" else None
        shown.append(
            {
                "sign": sign,
                "old": old if sign in " -" else None,
                "new": new if sign in " +" else None,
                "pieces": after or before or [],
            }
        )
        old += sign in " -"
        new += sign in " +"
    return {"note": hunk.note, "lines": shown}


def _unquoted(name: str) -> str:
    """git puts names with odd characters in quotes, with C escapes."""
    if not (name.startswith('"') and name.endswith('"')):
        return name
    raw = name[1:-1].encode("utf-8", "replace").decode("unicode_escape", "replace")
    return raw.encode("latin-1", "replace").decode("utf-8", "replace")
