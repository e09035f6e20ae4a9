"""What a model thought before it answered, where a server leaves that inside the reply: `<think>` … `</think>`.

Thoughts are talk: a file drafted in them is no file, and a line that looks like a conclusion is none. A region begins
with a tag at the start of a line and ends with the first closing tag that begins or ends a line. Many servers give
the prompt's template the opening tag, so a closing tag without one ends thoughts that began with the reply. A tag
inside a file block or a fence is data and stays; where those end is for `closing` to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from chatdev.software import closing
from chatdev.software.names import name_in_line, split_info

_ANY = re.compile(r"</?think(?:ing)?>", re.IGNORECASE)
_OPEN = re.compile(r"^\s*<think(?:ing)?>", re.IGNORECASE)
_CLOSE = re.compile(r"^\s*</think(?:ing)?>|</think(?:ing)?>\s*$", re.IGNORECASE)
_LONE = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_BLOCKS = 2_000
"""Files and fences looked at in a reply."""
_REREADS = 20
"""Closing tags with an answer on the same line."""
_ENDINGS = {"python": "py", "py": "py", "python3": "py", "markdown": "md", "md": "md", "mdx": "md", "json": "json"}


@dataclass(frozen=True)
class Thoughts:
    """The lines of a reply without its thoughts, and where those were (indices of lines, both ends included)."""

    lines: list[str]
    spans: tuple[tuple[int, int], ...] = ()
    unclosed: int | None = None
    """Where an opening tag stands that nothing closes; from there on all is thought."""


def without_thoughts(text: str) -> str:
    """The text with every line of the thoughts blank, so that line numbers stay; never raises on any text."""
    return "\n".join(find_thoughts(text.split("\n")).lines) if _ANY.search(text) else text


def find_thoughts(lines: list[str]) -> Thoughts:
    """Tell thoughts from the answer; what follows a closing tag on its line belongs to the answer."""
    if not any(_ANY.search(line) for line in lines):
        return Thoughts(lines)
    walk, spans = _Walk(list(lines)), list[tuple[int, int]]()
    while (found := walk.next_tag()) is not None:
        opened = bool(_OPEN.match(walk.lines[found]))
        if spans and not opened:
            walk.at = found + 1  # a second closing tag closes nothing
            continue
        first, last = (found, _end(walk.lines, found)) if opened else (0, found)
        spans.append((first, len(lines) - 1 if last is None else last))
        walk.blank(*spans[-1], keep_rest=last is not None)
        if last is None:
            return Thoughts(walk.lines, tuple(spans), first)
    return Thoughts(walk.lines, tuple(spans))


def _end(lines: list[str], start: int) -> int | None:
    """The line of the closing tag; on the opening tag's own line it may stand anywhere."""
    if _LONE.search(lines[start]):
        return start
    return next((at for at in range(start + 1, len(lines)) if _CLOSE.search(lines[at])), None)


class _Walk:
    """From tag to tag, past files and fences; bounded, so that no reply makes it slow."""

    def __init__(self, lines: list[str]) -> None:
        self.lines, self.marks = lines, closing.Marks(lines)
        self.at, self.blocks, self.rereads = 0, _BLOCKS, _REREADS

    def next_tag(self) -> int | None:
        """The first line from `at` on with a tag of thoughts that lies in no file and in no fence."""
        marks = self.marks
        while self.at < len(self.lines) and self.blocks > 0 and self.rereads > 0:
            tag, fence = marks.tags.get(self.at), marks.fences.get(self.at)
            end: closing.End | None = None
            if tag is not None and tag.kind == "file" and tag.path:
                end = closing.end_of_tag(marks, self.at + 1, tag.path)
            elif fence is not None and not closing.wraps_tags(marks, self.at, fence):
                name = _name(self.lines, self.at, fence)
                end = closing.end_of_fence(marks, self.at, fence, name, lambda here: _named(marks, here))
            elif _OPEN.match(self.lines[self.at]) or _CLOSE.search(self.lines[self.at]):
                return self.at
            self.blocks -= tag is not None or fence is not None
            # A block that nothing closes hides nothing: what is drafted in thoughts is often left open.
            self.at = self.at + 1 if end is None or end.missing else end.resume
        return None

    def blank(self, first: int, last: int, *, keep_rest: bool) -> None:
        """Take the lines out; what stands behind the closing tag stays and is read on from."""
        rest = _LONE.split(self.lines[last], maxsplit=1)[1] if keep_rest else ""
        rest = rest if rest.strip() else ""
        self.lines[first : last + 1] = [*[""] * (last - first), rest]
        self.at = last
        if rest:
            self.marks, self.rereads = closing.Marks(self.lines), self.rereads - 1


def _named(marks: closing.Marks, at: int) -> bool:
    return split_info(marks.fences[at].info)[1] is not None


def _name(lines: list[str], at: int, fence: closing.FenceOpen) -> str | None:
    """The name by which the end of a fence is found: its own, one in the line above, or what its language says."""
    language, name = split_info(fence.info)
    above = next((line for line in reversed(lines[max(0, at - 2) : at]) if line.strip()), "")
    made = f"shown.{_ENDINGS[language]}" if language in _ENDINGS else None
    return name or name_in_line(above)[0] or made
