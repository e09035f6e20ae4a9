"""What may be told of the user's hidden acceptance tests: which of them failed, how, and where in the product.

The tests run in one process with the product, which can read them there and write anything into the report of the run,
in any disguise. So no text of that report is shown: names come from the hidden files as they lie here, kinds of errors
from Python's own, places from the product's own files. The person finds the rest in the evidence.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from chatdev.sandbox.bundle import Bundle, contents
from chatdev.sandbox.entry import parse

if TYPE_CHECKING:
    from chatdev.sandbox.rung_tests import Case, Junit

KINDS = {name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)}
NAMELESS = "a hidden test"
UNKNOWN = "an error"
_KIND = re.compile(r"\s*(?:[\w.]{0,200}\.)?(\w{1,80})\b")
_FRAME = re.compile(r"^(?:\.?/)?([^\s:][^:\n]{0,300}\.py):(\d{1,7}): ", re.M)


def veiled(junit: Junit, hidden: Bundle, product: Mapping[str, bytes]) -> Junit:
    """The same report with nothing in it that the hidden tests' process could have chosen freely."""
    names = set(_names(hidden))
    return replace(junit, bad=tuple(_veiled(case, names, product) for case in junit.bad))


def _veiled(case: Case, names: set[str], product: Mapping[str, bytes]) -> Case:
    # What stands in brackets after a name are values of the test.
    name = re.split(r"[.:]", case.name.partition("[")[0])[-1]
    places = [(file, int(line)) for file, line in _FRAME.findall(case.text) if _is_line(product, file, int(line))]
    where = f", in {places[-1][0]}, line {places[-1][1]}" if places else ""
    words = f"{_kind(case.message)}{where} (what it compared is hidden, as the test is)"
    return replace(case, name=name if name in names else NAMELESS, message=words, text="")


def _kind(message: str) -> str:
    """The class of an error, when it is one of Python's own."""
    match = _KIND.match(message)
    word = match[1] if match else ""
    return "AssertionError" if word == "assert" else word if word in KINDS else UNKNOWN


def _is_line(product: Mapping[str, bytes], file: str, line: int) -> bool:
    return file in product and 0 < line <= product[file].count(b"\n") + 1


def _names(hidden: Bundle) -> Iterator[str]:
    """Names of the functions and classes that are tests in the hidden files."""
    for data in contents(hidden).values():
        tree = parse(data)
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
                yield node.name
