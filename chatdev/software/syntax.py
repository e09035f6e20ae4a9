"""Does a file's text parse? Asked before anything is written, so that the exact error can go back to the author.

Known kinds: Python, JSON, TOML, YAML, XML and SVG. Any other file is taken as it is. Nothing is executed, no
entity is expanded, no tag is constructed.
"""

from __future__ import annotations

import ast
import gc
import json
import re
import sys
import warnings
from pathlib import PurePosixPath

from chatdev.software.children import run_apart
from chatdev.software.problems import Problem

_COMMENTED_JSON = re.compile(r"(^|/)(\.vscode/[^/]+|[tj]sconfig[^/]*|\.eslintrc|\.swcrc|devcontainer)(\.json)?$")
_YAML_CHARS = 200_000
"""Beyond this YAML is not checked: the pure Python scanner takes about a second for a megabyte."""
_CRASHING_CHARS = 40_000
"""A shorter text cannot nest deeply enough to crash Python 3.10's parser (it takes about 20,000 levels)."""
_PYTHON = (".py", ".pyw", ".pyi")


def suffix_of(path: str) -> str:
    """The lower-case extension with its dot, or an empty string."""
    return PurePosixPath(path).suffix.lower()


def can_prove(path: str) -> bool:
    """Tell whether a cut-off file of this kind would nearly surely fail to parse (Python, JSON, TOML)."""
    return suffix_of(path) in (*_PYTHON, ".json", ".toml") and not _COMMENTED_JSON.search(path)


def syntax_problem(path: str, text: str) -> Problem | None:
    """Return the first syntax error in `text`, with its line counted from 1, or None."""
    suffix = suffix_of(path)
    try:
        if suffix in _PYTHON:
            return _python(path, text)
        if suffix == ".json" and not _COMMENTED_JSON.search(path):
            return _json(path, text)
        if suffix == ".toml":
            return _toml(path, text)
        if suffix in (".yaml", ".yml") and len(text) <= _YAML_CHARS:
            return _yaml(path, text)
        if suffix in (".xml", ".svg"):
            return _xml(path, text)
    except (RecursionError, MemoryError):
        return Problem.of_file(path, 1, "nested too deeply to parse")
    return None


def _python(path: str, text: str) -> Problem | None:
    try:
        parse_python(text)
    except SyntaxError as error:
        shown = (error.text or "").strip()
        where = f" in: {shown[:120]}" if shown else ""
        return Problem.of_file(path, error.lineno or 1, f"Python syntax error: {error.msg}{where}")
    except ValueError as error:
        return Problem.of_file(path, 1, f"not Python source: {error}")
    return None


def parse_python(text: str) -> ast.Module:
    """`ast.parse` without the warnings that a stranger's source would print on our terminal.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it is no Python, or nested beyond what can be parsed.
    """
    if sys.version_info < (3, 11) and len(text) > _CRASHING_CHARS and not _survives(text):
        raise RecursionError
    collecting = gc.isenabled()
    gc.disable()  # a tree in the making holds no garbage, and looking for it doubles the time of a large one
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    finally:
        if collecting:
            gc.enable()


def _survives(text: str) -> bool:
    """Parse in a child first: Python 3.10 is killed by `a.b.b.b…` of tens of thousands, where 3.11 raises."""
    done = run_apart(
        [sys.executable, "-I", "-c", "import ast, sys; ast.parse(sys.stdin.buffer.read())"],
        input=text.encode("utf-8", "replace"),
    )
    return done.returncode in (0, 1)


def _json(path: str, text: str) -> Problem | None:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return Problem.of_file(path, error.lineno, f"not JSON: {error.msg} at column {error.colno}")
    except ValueError as error:  # an integer of more digits than Python converts
        return Problem.of_file(path, 1, f"not JSON: {error}")
    return None


def _toml(path: str, text: str) -> Problem | None:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        return Problem.of_file(path, int(found[1]) if found else max(1, text.count("\n")), f"not TOML: {error}")
    except ValueError as error:
        return Problem.of_file(path, 1, f"not TOML: {error}")
    return None


def _yaml(path: str, text: str) -> Problem | None:
    import yaml

    try:
        for _ in yaml.compose_all(text, Loader=yaml.SafeLoader):
            pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        return Problem.of_file(path, mark.line + 1 if mark else 1, f"not YAML: {error.problem or error.context}")
    except yaml.YAMLError as error:
        return Problem.of_file(path, 1, f"not YAML: {str(error).splitlines()[0]}")
    return None


def _xml(path: str, text: str) -> Problem | None:
    from xml.parsers import expat

    class _Entities(Exception):
        pass

    def refuse(*_: object) -> None:
        raise _Entities

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        return Problem.of_file(path, error.lineno, f"not well-formed XML: {expat.ErrorString(error.code)}")
    except _Entities:
        return Problem.of_file(path, parser.CurrentLineNumber, "XML that declares entities is not allowed")
    return None
