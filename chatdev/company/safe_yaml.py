"""YAML from strangers, read into a tree that knows its line numbers.

Contract: `read_yaml` gives `Map`, `Seq` and `Text` nodes, each with the place it was written at. Plain
scalars keep their source text (`no`, `1.10` and `12:30` stay what was typed; the field's type decides
later); only `null`, `~` and nothing at all are null. Refused, with one line each: duplicate keys, tags,
alias bombs, deep nesting, large files, tabs as indentation, text that is not UTF-8, control characters.
Nothing is ever constructed from a tag. Nothing but `UserErrors` is raised, whatever the text. Non-goals:
what the keys mean; writing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from chatdev.company.fields import quoted
from chatdev.errors import UserError, UserErrors

MAX_BYTES = 1_000_000
SLOW_BYTES = 100_000  # above this the parser in C has the last word: the other one would take seconds
MAX_DEPTH = 32
MAX_ALIASES = 100
MAX_WEIGHT = 50_000  # nodes after all aliases are written out, plus one for every 100 characters of text

UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MERGE = "\0<<"  # no key of a file can hold NUL
_TAB_INDENT = re.compile(r" *\t")


@dataclass(frozen=True)
class Mark:
    """A place: a file and a line from 1, or a label such as `--set limits.tokens=9` with line 0."""

    source: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass
class Text:
    """A scalar. `value` is None for null; `block` is True for a literal block, whose lines map to the
    file's."""

    mark: Mark
    value: str | None
    block: bool = False
    weight: int = 1


@dataclass
class Seq:
    """A list."""

    mark: Mark
    items: list[Node] = field(default_factory=list)
    weight: int = 1


@dataclass
class Map:
    """A mapping; `keys` holds where each key stands."""

    mark: Mark
    items: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Mark] = field(default_factory=dict)
    weight: int = 1


Node = Text | Seq | Map


def plain(node: Node) -> Any:
    """The node as dicts, lists, texts and None."""
    if isinstance(node, Text):
        return node.value
    if isinstance(node, Seq):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, value in node.items.items()}


def shown(path: Path) -> str:
    """`path` as people like it: relative to the working folder when below it."""
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):
        return str(path)


def read_file(path: Path) -> Node:
    """The tree of a YAML file.

    Raises:
        UserErrors: the file cannot be read, or is not YAML as this project takes it.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserErrors([UserError(f"cannot be read: {error.strerror}", where=shown(path))]) from None
    return read_yaml(data, shown(path))


def read_yaml(data: bytes | str, source: str) -> Node:
    """The tree of a YAML text; `source` is how the text is called in messages.

    Raises:
        UserErrors: everything that is wrong with it; a syntax error is reported alone.
    """
    text = _decoded(data, source)
    wrong = UNPRINTABLE.search(text)
    if wrong:
        line = text.count("\n", 0, wrong.start()) + 1
        raise _one(f"the character U+{ord(wrong.group()):04X} is not allowed", Mark(source, line))
    fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Builder(source).build(yaml.parse(text, Loader=fast))
    except yaml.YAMLError as error:
        if fast is yaml.SafeLoader or len(text) > SLOW_BYTES:
            raise _syntax(error, text, source) from None
    try:  # again with the Python parser, which words its errors the same on every machine
        return _Builder(source).build(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise _syntax(error, text, source) from None


def _decoded(data: bytes | str, source: str) -> str:
    if len(data) > MAX_BYTES:
        raise _one(f"the file is larger than {MAX_BYTES:,} bytes", Mark(source))
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _one("the file is not UTF-8 text", Mark(source, line)) from None


def _one(what: str, mark: Mark) -> UserErrors:
    return UserErrors([UserError(what, where=str(mark))])


def _syntax(error: yaml.YAMLError, text: str, source: str) -> UserErrors:
    """One plain line for what the YAML parser says, at the line it means."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return _one("this is not valid YAML", Mark(source))
    line = error.problem_mark.line + 1
    first = error.context_mark.line if error.context_mark else line - 1
    for number, content in enumerate(text.split("\n")[first : line + 1], first + 1):
        if _TAB_INDENT.match(content):
            return _one("a tab is used for indentation (write spaces)", Mark(source, number))
    problem = " ".join((error.problem or "unreadable").split())
    problem = re.sub(r", but (found|got) '?<?(.+?)>?'?$", r", found \2", problem).replace("<", "").replace(">", "")
    return _one(f"this is not valid YAML: {problem}", Mark(source, line))


@dataclass
class _Open:
    """A list or mapping that is not closed yet."""

    node: Map | Seq
    anchor: str | None
    key: tuple[str, Mark] | None = None
    """In a mapping: the key that waits for its value."""
    merges: list[Map] = field(default_factory=list)
    """In a mapping: what `<<` names, nearest first."""


class _Builder:
    """Builds the tree from parser events, with a stack of its own: no recursion, whatever the nesting."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.errors: list[UserError] = []
        self.anchors: dict[str, Node] = {}
        self.aliases = 0
        self.root: Node | None = None
        self.stack: list[_Open] = []

    def build(self, events: Iterable[Any]) -> Node:
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents == 2:
                    self.complain("there is a second document (---) in this file", self.mark(event))
                    break
            elif isinstance(event, yaml.AliasEvent):
                self.alias(event)
            elif isinstance(event, yaml.NodeEvent):
                self.open(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self.close()
        if self.errors:
            raise UserErrors(self.errors)
        return self.root if self.root is not None else Text(Mark(self.source, 1), None)

    def mark(self, event: Any) -> Mark:
        return Mark(self.source, event.start_mark.line + 1)

    def complain(self, what: str, mark: Mark) -> None:
        self.errors.append(UserError(what, where=str(mark)))

    def open(self, event: Any) -> None:
        mark = self.mark(event)
        if event.tag is not None:
            self.complain(f"tags such as {quoted(event.tag)} are not allowed", mark)
        if isinstance(event, yaml.ScalarEvent):
            self.scalar(event, mark)
            return
        if len(self.stack) >= MAX_DEPTH:
            raise _one(f"the nesting is deeper than {MAX_DEPTH} levels", mark)
        made: Map | Seq = Map(mark) if isinstance(event, yaml.MappingStartEvent) else Seq(mark)
        self.stack.append(_Open(made, event.anchor))

    def scalar(self, event: Any, mark: Mark) -> None:
        wrong = UNPRINTABLE.search(event.value)  # an escape such as "\0" or "\ud800"
        if wrong:
            self.complain(f"the character U+{ord(wrong.group()):04X} is not allowed", mark)
        bare = not event.style
        null = bare and event.value in ("", "~", "null", "Null", "NULL") and not self.expects_key()
        node = Text(mark, None if null else event.value, event.style == "|", 1 + len(event.value) // 100)
        if event.anchor:
            self.anchors[event.anchor] = node
        self.place(node, merge=bare and event.value == "<<" and self.expects_key())

    def close(self) -> None:
        done = self.stack.pop()
        if isinstance(done.node, Map):
            for other in done.merges:
                for key in other.items:
                    if key not in done.node.items:
                        done.node.items[key], done.node.keys[key] = other.items[key], other.keys[key]
        if done.anchor:
            self.anchors[done.anchor] = done.node
        self.place(done.node)

    def alias(self, event: Any) -> None:
        mark = self.mark(event)
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise _one(f"there are more than {MAX_ALIASES} aliases", mark)
        if any(level.anchor == event.anchor for level in self.stack):
            raise _one(f"the alias {quoted('*' + event.anchor)} contains itself", mark)
        node = self.anchors.get(event.anchor)
        if node is None:
            raise _one(f"the alias {quoted('*' + event.anchor)} is not defined above", mark)
        self.place(node, at=mark)

    def expects_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].node, Map) and self.stack[-1].key is None

    def place(self, node: Node, merge: bool = False, at: Mark | None = None) -> None:
        """Puts a finished node where it belongs: the root, a list, a key, or the value of the waiting key."""
        if not self.stack:
            self.root = node
            return
        level = self.stack[-1]
        if isinstance(level.node, Seq):
            level.node.items.append(node)
        elif level.key is None:
            level.key = (_MERGE if merge else self.key(node), at or node.mark)
            return
        else:
            self.value(level, level.node, node)
        level.node.weight += node.weight
        if level.node.weight > MAX_WEIGHT:
            raise _one(f"the file has more than {MAX_WEIGHT:,} values, aliases written out", at or node.mark)

    def key(self, node: Node) -> str:
        if isinstance(node, Text) and node.value is not None:
            return node.value
        self.complain("a key must be a plain word", node.mark)
        return ""

    def value(self, level: _Open, parent: Map, node: Node) -> None:
        assert level.key is not None
        key, mark = level.key
        level.key = None
        if key == _MERGE:
            others = node.items if isinstance(node, Seq) else [node]
            level.merges.extend(other for other in others if isinstance(other, Map))
            if not all(isinstance(other, Map) for other in others):
                self.complain("<< needs a mapping or a list of mappings", mark)
        elif key in parent.keys:
            first = parent.keys[key].line
            self.complain(f"the key {quoted(key)} is given twice (first in line {first})", mark)
        else:
            parent.items[key], parent.keys[key] = node, mark
