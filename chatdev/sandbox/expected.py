"""Which tests must be in a report: read from the test files' syntax trees, nothing is run for it.

A report is written in the process that the judged program runs in as well. What it leaves out, a program or a setting
left out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from chatdev.sandbox.entry import is_test, parse

JUDGING = {
    "pytest_pyfunc_call", "pytest_runtest_protocol", "pytest_runtest_call", "pytest_runtest_makereport",
    "pytest_runtestloop", "pytest_runtest_logreport", "pytest_cmdline_main",
}  # fmt: skip
"""Hooks by which a conftest.py decides itself what a test's result is."""
_NOT_WALKED = {"build", "dist", "node_modules", "venv", "CVS", "_darcs", "{arch}"}


def test_files(files: Mapping[str, bytes]) -> list[str]:
    """The files that pytest is asked to run: none in folders that it would not walk into."""
    return sorted(
        name
        for name, data in files.items()
        if is_test(name, data) and not name.endswith("conftest.py") and not _left_alone(name)
    )


def promised(files: Mapping[str, bytes]) -> frozenset[str]:
    """The tests that these files define for certain, as junit.xml names them (`tests.test_a.TestB.test_c`), without
    parameters. Those made in loops, under conditions or by inheritance are not among them.
    """
    found: set[str] = set()
    for name in test_files(files):
        tree = parse(files[name])
        if tree is not None:
            module = name.removesuffix(".py").replace("/", ".")
            found |= {f"{module}.{test}" for test in _tests(tree.body, "")}
    return frozenset(found)


def judges_itself(files: Mapping[str, bytes]) -> str:
    """What in the product's conftest.py files decides about tests (`conftest.py: pytest_runtest_call`), or ""."""
    for name in sorted(files):
        tree = parse(files[name]) if PurePosixPath(name).name == "conftest.py" else None
        for node in tree.body if tree else ():
            if isinstance(node, ast.FunctionDef) and node.name in JUDGING:
                return f"{name}: {node.name}"
    return ""


def _tests(body: list[ast.stmt], within: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("test") and not any(_is_none(d) for d in node.decorator_list):
                yield within + node.name
        elif isinstance(node, ast.ClassDef) and _collected(node):
            yield from _tests(node.body, f"{within}{node.name}.")


def _is_none(decorator: ast.expr) -> bool:
    """True for decorators that make something else than a test of a function."""
    return any(word in ast.dump(decorator) for word in ("'fixture'", "'property'", "'staticmethod'"))


def _collected(node: ast.ClassDef) -> bool:
    unit = any("TestCase" in ast.dump(base) for base in node.bases)
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and part.name in ("__init__", "__new__") and not unit:
            return False
        if isinstance(part, ast.Assign) and "'__test__'" in ast.dump(part):
            return False
    return unit or node.name.startswith("Test")


def _left_alone(name: str) -> bool:
    folders = PurePosixPath(name).parts[:-1]
    return any(f in _NOT_WALKED or f.startswith(".") or f.endswith(".egg") for f in folders)
