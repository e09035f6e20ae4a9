"""Parts of the product's files, for phases that do not need all of them: what a prompt leaves out is not paid for.

sources    the files without the tests
tests      the tests
suspects   the files that the last test report and its summary speak of; all when they speak of none. Where there is
           room, what the tests among them import as well: a failing assertion names the test alone
reviewed   the same for the last review
planned    the same for the plan of a change
changed    the files that the run has written
imports    the packages a Python product uses that come neither with Python nor with the product
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from chatdev.sandbox.languages import is_language_test

if TYPE_CHECKING:
    from chatdev.run.journal import Journal

TEXTS = {".md", ".txt", ".toml", ".cfg", ".ini", ".json", ".yaml", ".yml", ".csv", ".html", ".css", ".svg"}
"""Endings of files that import nothing."""
_IMPORTS = re.compile(r"\b(?:import|from|require|include|use|mod)\b")


def is_test(path: str) -> bool:
    """True for what a reader takes for a test by its name, and for what the ladder runs as one in any language."""
    name = PurePosixPath(path).name
    named = path.startswith("tests/") or name.startswith("test_") or re.search(r"_test\.\w+$", name) is not None
    return named or is_language_test(path)


def sources(files: Mapping[str, str]) -> dict[str, str]:
    """The files without the tests; all when there are only tests."""
    return {path: text for path, text in files.items() if not is_test(path)} or dict(files)


def only_tests(files: Mapping[str, str]) -> dict[str, str]:
    """The tests alone, whole."""
    return {path: text for path, text in files.items() if is_test(path)}


def suspects(files: Mapping[str, str], report: str) -> dict[str, str]:
    """The files that a report names, by path, or by module as tests and objects are named; all when there are none."""
    # The line that says how the program was started names the entry point whatever went wrong.
    told = "\n".join(line for line in report.splitlines() if not line.startswith("Started as"))
    found = {path: text for path, text in files.items() if _named(path, told)}
    return found or dict(files)


def tried(files: Mapping[str, str], tests: Iterable[str]) -> dict[str, str]:
    """The files that these tests import, or whose names they bear (`cart_test.go`, `cart.test.js`: `cart`)."""
    stems: set[str] = set()
    for path in filter(is_test, tests):
        lines = "\n".join(line for line in files[path].splitlines() if _IMPORTS.search(line))
        own = re.sub(r"^tests?_|[._]?(?:tests?|spec)$", "", PurePosixPath(path).stem, flags=re.IGNORECASE)
        stems.update([own, *re.findall(r"\w+", lines)])
    return {path: text for path, text in sources(files).items() if PurePosixPath(path).stem in stems}


def changed_paths(journal: Journal) -> set[str]:
    """Paths that the run has written and not deleted since."""
    there: set[str] = set()
    for commit in journal.of_kind("committed"):
        for file in commit["files"]:
            (there.discard if file["status"] == "deleted" else there.add)(file["path"])
    return there


def _named(path: str, told: str) -> bool:
    stem = re.escape(PurePosixPath(path).stem)
    return re.search(rf"(?<![\w/]){re.escape(path)}|\b{stem}\.\w", told) is not None


def imports(files: Mapping[str, str]) -> str:
    """One line a package, or one that says there is none; empty where other languages are used."""
    own = {PurePosixPath(part).stem for path in files for part in PurePosixPath(path).parts}
    used: dict[str, list[str]] = {}
    for path, text in files.items():
        ending = PurePosixPath(path).suffix
        if ending != ".py" and ending not in TEXTS and PurePosixPath(path).name != ".gitignore":
            return ""
        for name in _imported(text) if ending == ".py" else ():
            if name not in sys.stdlib_module_names and name not in own:
                used.setdefault(name, []).append(path)
    lines = [f"{name} (in {', '.join(paths)})" for name, paths in sorted(used.items())]
    return "\n".join(lines) or "nothing besides what comes with Python and the program's own files"


def _imported(text: str) -> set[str]:
    """First components of a module's absolute imports; none when it does not parse."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found
