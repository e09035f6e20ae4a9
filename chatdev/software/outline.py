"""What a file defines, without its bodies: for a map of a repository that is too large to be shown.

Python is read from its syntax tree, every other language by the lines that begin a definition. A file that cannot be
read defines nothing; nobody's repository makes this fail.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from chatdev.software.syntax import parse_python, suffix_of

MOST = 400
"""Definitions of one file."""
MOST_CHARS = 400_000
"""A longer file is data."""
_KEPT = 20_000
"""Outlines that are remembered."""


@dataclass(frozen=True)
class Definition:
    """One class, function, type or constant: its line from 1, its name, and how deep it lies in classes."""

    line: int
    name: str
    depth: int = 0


_HEAD = (
    r"(?:(?:export|default|pub(?:\([^)]*\))?|public|private|protected|internal|static|final|abstract|async|unsafe)"
    r"\s+)*"
)
_DEFINES = re.compile(
    rf"^(?P<indent>[ \t]*){_HEAD}"
    r"(?:(?:class|struct|enum|interface|trait|protocol|module|namespace|object|record|mixin|extension|type)\s+(?P<kind>[\w.:]+)"
    r"|(?:function\*?|func|fn|def|sub|fun|proc|procedure)\s+(?:\([^)]{0,80}\)\s*)?(?P<function>[\w.:?!]+)"
    r"|(?:const|let|var|val)\s+(?P<value>\w+)\s*(?::[^=]{1,80})?=\s*(?:async\s*)?(?:function|\([^)]{0,200}\)\s*=>|\w+\s*=>)"
    r"|(?:CREATE\s+(?:OR\s+REPLACE\s+)?(?:TABLE|VIEW|FUNCTION|PROCEDURE)\s+(?:IF\s+NOT\s+EXISTS\s+)?)(?P<sql>[\w.\"`]+))",
    re.IGNORECASE,
)
_C_LIKE = re.compile(
    r"^(?:[A-Za-z_][\w:<>,*&\[\] ]{0,80}[ *&])(?P<name>[A-Za-z_~][\w:~]*)\s*\([^;{}]{0,300}\)\s*(?:const\s*)?\{?\s*$"
)
_C_ENDINGS = {".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".java", ".cs", ".m", ".mm", ".ino"}
_NO_FUNCTION = {"if", "for", "while", "switch", "return", "else", "catch", "sizeof"}
_HEADING = re.compile(r"^#{1,3} +(.{1,80})")
_known: dict[bytes, tuple[Definition, ...]] = {}


def outline(path: str, text: str) -> tuple[Definition, ...]:
    """The definitions of a file, in the order of its lines; remembered by content."""
    if len(text) > MOST_CHARS:
        return ()
    suffix = suffix_of(path)
    digest = hashlib.blake2b(f"{suffix}\0{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
    found = _known.get(digest)
    if found is None:
        if len(_known) >= _KEPT:
            _known.clear()
        found = _known[digest] = tuple(_limited(_read(suffix, text)))
    return found


def _limited(found: Iterator[Definition]) -> Iterator[Definition]:
    for number, definition in enumerate(found):
        if number >= MOST:
            return
        yield definition


def _read(suffix: str, text: str) -> Iterator[Definition]:
    if suffix in (".py", ".pyw", ".pyi"):
        try:
            yield from _python(parse_python(text).body, 0)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            yield from _by_lines(text, c_like=False)
    elif suffix in (".md", ".markdown", ".rst", ".txt"):
        for number, line in enumerate(text.splitlines(), start=1):
            if heading := _HEADING.match(line):
                yield Definition(number, heading[1].strip())
    else:
        yield from _by_lines(text, c_like=suffix in _C_ENDINGS)


def _python(body: list[ast.stmt], depth: int) -> Iterator[Definition]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield Definition(node.lineno, node.name, depth)
            yield from _python(node.body, depth + 1)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Definition(node.lineno, f"{node.name}()", depth)
        elif depth == 0 and isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name) and target.id.isupper():
                    yield Definition(node.lineno, target.id, depth)


def _by_lines(text: str, *, c_like: bool) -> Iterator[Definition]:
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line) > 300:
            continue
        if match := _DEFINES.match(line):
            depth = 1 if match["indent"] else 0
            if match["kind"] or match["sql"]:
                yield Definition(number, str(match["kind"] or match["sql"]).rstrip(":"), depth)
            else:
                yield Definition(number, f"{match['function'] or match['value']}()", depth)
        elif c_like and (match := _C_LIKE.match(line)) and match["name"] not in _NO_FUNCTION:
            yield Definition(number, f"{match['name']}()")
