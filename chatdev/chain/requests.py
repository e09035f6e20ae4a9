"""Files on request: an agent asks for a file by name, and its next prompt shows it.

    <show path="src/game.py"/>
    <show path="src/game.py" lines="100-180"/>

A request is a line of the agent's own words; in a file, a fence or a quotation it is data. A reply that already writes
files or concludes is an answer, whatever it asks beside that.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from chatdev.chain.brief import Item
from chatdev.chain.conclusion import control_line, own_lines
from chatdev.chain.words import Words
from chatdev.software.outline import outline

MOST = 5
"""Files in one request."""
ROUNDS = 4
"""Requests in a row."""
_REQUEST = re.compile(
    r"^\s{0,3}[`*]{0,2}<show\s+path\s*=\s*[\"']([^\"'<>]{1,400})[\"']"
    r"(?:\s+lines\s*=\s*[\"'](\d{1,7})\s*-\s*(\d{1,7})[\"'])?\s*/?>[`*]{0,2}\s*$"
)
_WRITES = re.compile(r"^\s{0,3}<(?:file|delete)\s+path=", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Wanted:
    """One file that was asked for; `first` and `last` are lines from 1, 0 for the whole."""

    path: str
    first: int = 0
    last: int = 0


def wanted(reply: str) -> list[Wanted]:
    """The files that a reply asks for, none when it is an answer itself."""
    if "<show" not in reply or control_line(reply) is not None or _WRITES.search(reply):
        return []
    found = [match for line in own_lines(reply) if (match := _REQUEST.match(line))]
    return list(dict.fromkeys(Wanted(m[1].removeprefix("./"), int(m[2] or 0), int(m[3] or 0)) for m in found))[:MOST]


def answer(asked: list[Wanted], files: Mapping[str, str], words: Words, room: int) -> tuple[str, list[Item]]:
    """The text that shows what was asked for, within `room` characters, and the files it shows whole."""
    parts: list[str] = []
    shown: list[Item] = []
    for number, one in enumerate(asked):
        share = room // (len(asked) - number)
        text = files.get(one.path)
        if text is None:
            near = difflib.get_close_matches(one.path, files, n=2, cutoff=0.6) or _same_name(one.path, files)
            part = words.say("file_unknown", path=one.path, near=near)
        elif one.last:
            part = _part(one, text, words, share)
        elif len(text) <= share:
            part = words.say("file", path=one.path, text=text if text.endswith("\n") else text + "\n").rstrip("\n")
            shown.append(Item(f"files/{one.path}", text))
        else:
            part = _outline(one.path, text, words, share)
        room -= len(part)
        parts.append(part)
    return "\n".join(parts), shown


def _same_name(path: str, files: Mapping[str, str]) -> list[str]:
    name = path.rsplit("/", 1)[-1]
    return sorted(each for each in files if each.rsplit("/", 1)[-1] == name)[:2]


def _part(one: Wanted, text: str, words: Words, room: int) -> str:
    lines = text.splitlines()
    first = min(max(one.first, 1), max(len(lines), 1))
    shown: list[str] = []
    for line in lines[first - 1 : max(one.last, first)]:
        room -= len(line) + 1
        if room < 0:
            break
        shown.append(line)
    last = first + len(shown) - 1
    body = "\n".join(shown)
    return words.say("file_part", path=one.path, first=first, last=last, lines=len(lines), text=body).rstrip("\n")


def _outline(path: str, text: str, words: Words, room: int) -> str:
    parts = []
    for one in outline(path, text):
        line = f"{one.line:>6} {'  ' * one.depth}{one.name}"
        room -= len(line) + 1
        if room < 0:
            break
        parts.append(line)
    count = len(text.splitlines())
    return words.say("file_outline", path=path, lines=count, definitions="\n".join(parts) or "(nothing)").rstrip("\n")
