"""What a reply says to write: files and deletions, taken from the text byte for byte.

Two forms are understood. The one asked for has each tag alone on its line:

    <file path="src/game.py">
    …
    </file>
    <delete path="old.py"/>

The other is a Markdown fence (``` or ~~~, three or more) whose file name stands above it, in its info string or in its
first line as a comment. Every line of a block ends with one newline; nothing else is added, cut, rendered or
scanned. Which closing line ends a block, when there are several, is decided in `closing`; where a fence's name
stands, in `names`; what was only thought, in `thoughts`.

A reply is data from a stranger: it is split into lines once, looked at line by line, and bounded by `BlockLimits`.
Whether a path may be written and whether a file parses is for `workspace` to say. Nothing is lost in silence: what
cannot be used is a problem (worth asking again) or a notice (worth telling).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from chatdev.software import closing
from chatdev.software.closing import FenceOpen
from chatdev.software.names import PROSE_LANGUAGES, fits, name_in_comment, name_in_line, split_info
from chatdev.software.problems import Problem
from chatdev.software.thoughts import find_thoughts

_LINES_BETWEEN = 3
"""How many lines may stand between a title with a file name and its fence."""
_BLOCKS_A_FILE = 4
"""Tags and fences looked at for each file allowed: beyond that a reply is not read on."""

_TOLD = 20
"""Problems and notices told of one reply; a model that is asked again needs no thousand of them."""


@dataclass(frozen=True)
class BlockLimits:
    """What bounds the reading of one reply."""

    reply_chars: int = 4_000_000
    """Text beyond this is not read."""
    files: int = 500
    """Blocks beyond this are not taken."""
    file_bytes: int = 1_000_000
    """A larger block is refused."""


@dataclass(frozen=True)
class FileBlock:
    """One file as the reply gives it: the name as written, the text as it shall be, where the block begins."""

    path: str
    text: str
    line: int = 1
    form: Literal["tag", "fence"] = "tag"


@dataclass
class ReplyBlocks:
    """Everything a reply says about files, in its order."""

    files: list[FileBlock] = field(default_factory=list)
    deletes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def render_file(path: str, text: str) -> str:
    """Write a file in the asked-for form; `parse_reply` reads it back (a missing last newline is added)."""
    body = text if text.endswith("\n") or not text else text + "\n"
    return f'<file path="{path}">\n{body}</file>\n'


def parse_reply(text: str, *, default_path: str | None = None, limits: BlockLimits = BlockLimits()) -> ReplyBlocks:
    """Read the blocks of a reply; never raises on any text.

    Args:
        text: the whole reply.
        default_path: the file meant when the reply holds no named block and exactly one unnamed block of code.
        limits: sizes beyond which a block is refused.
    """
    return _Reader(text, default_path, limits).read()


class _Reader:
    """One pass over the lines: `at` is the next line to look at, `free` the first one after the last block."""

    def __init__(self, text: str, default_path: str | None, limits: BlockLimits) -> None:
        self.limits, self.default_path = limits, default_path
        self.out = ReplyBlocks()
        self.taken: dict[str, FileBlock] = {}
        self.unnamed: list[tuple[int, str, str]] = []
        self.at = self.free = 0
        self.wrapped = False
        self.cut = len(text) > limits.reply_chars
        self.thoughts = find_thoughts(text[: limits.reply_chars].split("\n"))
        self.lines = self.thoughts.lines
        self.marks = closing.Marks(self.lines)

    def read(self) -> ReplyBlocks:
        lines_of_interest = sorted((*self.marks.tags, *self.marks.fences))
        left = self.limits.files * _BLOCKS_A_FILE
        for at in lines_of_interest:
            if at < self.at:
                continue
            if left == 0:
                self._problem(None, at, "the reply holds too many blocks; from here on it was not read")
                break
            left, self.at = left - 1, at
            if tag := self.marks.tags.get(at):
                self._tag(tag)
            else:
                self._fence(self.marks.fences[at])
        if self.thoughts.unclosed is not None:
            self._problem(
                None, self.thoughts.unclosed, "<think> is not closed; all that follows was taken for thoughts"
            )
        if self.cut:
            self._problem(None, len(self.lines) - 1, f"the reply is longer than {self.limits.reply_chars} characters")
        self._settle_unnamed()
        self.out.files = list(self.taken.values())
        more = len(self.out.problems) - _TOLD
        if more > 0:
            self.out.problems = self.out.problems[:_TOLD]
            self._problem(None, len(self.lines) - 1, f"so far; {more} more problems were found")
        self.out.notices = self.out.notices[:_TOLD]
        return self.out

    # --- the asked-for form

    def _tag(self, tag: closing.Tag) -> None:
        here = self.at
        self.at += 1
        if tag.kind == "close":
            self._stray(here)
        elif not tag.path:
            self._problem(None, here, f"the tag <{tag.kind}> names no path")
        elif tag.kind == "delete":
            self._delete(tag.path)
            self.free = self.at
        elif tag.kind == "inline":
            self._problem(tag.path, here, "the tags <file> and </file> must each stand alone on a line")
        elif tag.kind == "empty":
            self._file(tag.path, [], here, "tag")
            self.free = self.at
        else:
            self._file_tag(tag.path, here)

    def _file_tag(self, path: str, here: int) -> None:
        end = closing.end_of_tag(self.marks, here + 1, path)
        if end.missing:
            self._problem(path, here, end.why)
        else:
            body = self.lines[here + 1 : end.line]
            inner = closing.unwrapped(body, path)
            if inner is not None:
                self.out.notices.append(f"{path}: the fence around the whole file was left out")
            self._file(path, body if inner is None else inner, here, "tag")
        self.at = self.free = end.resume

    def _stray(self, here: int) -> None:
        between = "".join(self.lines[self.free : here]).strip()
        last = next(reversed(self.taken), None)
        if between and last is not None and self.free:
            self._problem(last, here, "there is text between two closing tags </file>; only the first was taken")
        else:
            self.out.notices.append(f"line {here + 1}: a closing tag </file> without an opening one")
        self.free = here + 1

    # --- fences

    def _fence(self, fence: FenceOpen) -> None:
        here = self.at
        if self.wrapped and not fence.info:
            self.wrapped, self.at, self.free = False, here + 1, here + 1
            return
        if closing.wraps_tags(self.marks, here, fence):
            self.wrapped, self.at = True, here + 1
            return
        language, name = self._named(here, fence)
        shown = "shown.md" if name is None and language in ("markdown", "md", "mdx") else name
        end = closing.end_of_fence(self.marks, here, fence, shown, self._names_a_file)
        if end.missing:
            self._unclosed(name, language, here, end)
        else:
            body = closing.dedented(self.lines[here + 1 : end.line], fence.indent)
            if name is not None:
                self._file(name, body, here, "fence")
            else:
                self.unnamed.append((here, language, _joined(body)))
        self.at = self.free = end.resume

    def _unclosed(self, name: str | None, language: str, here: int, end: closing.End) -> None:
        if name is not None:
            self._problem(name, here, end.why)
        elif language and language not in PROSE_LANGUAGES:
            self._problem(None, here, "a code block without a file name was not closed")

    def _named(self, here: int, fence: FenceOpen) -> tuple[str, str | None]:
        """Language and file name of the fence at `here`; of two names the one with folders."""
        language, name = split_info(fence.info)
        above = self._name_above(here, language)
        if name is None or (above is not None and above.endswith(f"/{name}")):
            name = above
        if name is None and language not in PROSE_LANGUAGES and here + 1 < len(self.lines):
            name = name_in_comment(self.lines[here + 1])
        return language, name if name is not None and fits(name, language) else None

    def _names_a_file(self, here: int) -> bool:
        return self._named(here, self.marks.fences[here])[1] is not None

    def _name_above(self, here: int, language: str) -> str | None:
        """The name in the nearest line above, or in a title a few lines further up."""
        seen = 0
        for at in range(here - 1, max(self.free, here - 8) - 1, -1):
            line = self.lines[at]
            if not line.strip():
                continue
            if at in self.marks.fences:
                return None
            name, titled = name_in_line(line)
            if name is not None and fits(name, language) and (seen == 0 or titled):
                return name
            seen += 1
            if seen > _LINES_BETWEEN:
                return None
        return None

    # --- the result

    def _file(self, path: str, body: list[str], here: int, form: Literal["tag", "fence"]) -> None:
        block = FileBlock(path, _joined(body), here + 1, form)
        key = _key(path)
        if len(block.text.encode("utf-8", "replace")) > self.limits.file_bytes:
            self._problem(path, here, f"is larger than {self.limits.file_bytes} bytes")
            return
        before = self.taken.get(key)
        if before is None and len(self.taken) >= self.limits.files:
            self._problem(path, here, f"the reply holds more than {self.limits.files} files")
            return
        if before is not None and before.form == "tag" and form == "fence":
            if before.text != block.text:
                self.out.notices.append(f"{path}: given as <file> and again in a fence; the <file> was taken")
            return
        if before is not None and before.text != block.text:
            self.out.notices.append(f"{path}: given twice; the later one (line {here + 1}) was taken")
        if path in self.out.deletes:
            self.out.deletes.remove(path)
            self.out.notices.append(f"{path}: deleted and then given again; it was taken")
        self.taken.pop(key, None)
        self.taken[key] = block

    def _delete(self, path: str) -> None:
        if self.taken.pop(_key(path), None) is not None:
            self.out.notices.append(f"{path}: given and then deleted; it was deleted")
        if path not in self.out.deletes:
            self.out.deletes.append(path)

    def _settle_unnamed(self) -> None:
        """Unnamed code: the default file when there is no doubt, an excerpt of a named file, or a problem."""
        code = [(at, lang, text) for at, lang, text in self.unnamed if lang not in PROSE_LANGUAGES and text.strip()]
        named = bool(self.taken or self.out.deletes or self.out.problems)
        if self.default_path and len(code) == 1 and not named:
            at, _, text = code[0]
            self._file(self.default_path, text.split("\n")[:-1], at, "fence")
            self.out.notices.append(f"{self.default_path}: the only block of code had no name and was taken for it")
            return
        for at, language, text in code:
            if any(text.strip() in block.text for block in self.taken.values()):
                self.out.notices.append(f"line {at + 1}: an excerpt of a named file was left out")
            elif language:
                self._problem(None, at, f"a code block ({language}) without a file name")
            else:
                self.out.notices.append(f"line {at + 1}: a block without a file name was left out")

    def _problem(self, path: str | None, here: int, message: str) -> None:
        self.out.problems.append(Problem.of_reply(path, here + 1, message))


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _key(path: str) -> str:
    """Two spellings of one name in a reply: `./a.py` and `a.py`, `a\\b` and `a/b`."""
    path = path.replace("\\", "/")
    while path.startswith("./"):
        path = path[2:]
    return path
