"""`requirements.txt`, read line by line: names and versions pass, everything else is refused with its reason.

No options, addresses, paths or links, so nothing but the configured package index decides what a name means. Names
of Python's own library are taken out, because pip would fail on them (or install something else of that name).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from chatdev.sandbox.missing import DISTRIBUTIONS

_LINE = re.compile(
    r"^(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,100}[A-Za-z0-9])?)\s*(?P<extras>\[[A-Za-z0-9,\s._-]{1,100}\])?\s*"
    r"(?P<versions>(?:(?:===?|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9.*+!_-]{1,60}\s*,?\s*){0,6})$"
)
NOT_PACKAGES = {
    "tk", "tcl", "python", "python3", "python-tk", "python3-tk", "tkinter", "tkinter-ttk", "sqlite", "stdlib",
    "builtins", "none", "pip", "standard-library",
}  # fmt: skip
MAX_LINES = 200


@dataclass(frozen=True)
class Wanted:
    """What a requirements file asks for."""

    install: tuple[str, ...] = ()
    """Lines for pip, normalised and sorted."""
    left_out: tuple[str, ...] = ()
    """Lines that need nothing, with the reason: Python's own, already in the box."""
    refused: tuple[str, ...] = ()
    """Lines that will not be followed, with the reason."""
    unknown: tuple[str, ...] = ()
    """Names among `install` that nobody here has heard of; a person has to agree."""

    def without(self, names: Collection[str]) -> Wanted:
        """The same without the given unknown names (the person said no)."""
        kept = tuple(line for line in self.install if canonical(_name(line)) not in names)
        no = tuple(f"{name}: nobody here knows this package, and nobody agreed to it" for name in sorted(names))
        return Wanted(kept, self.left_out, self.refused + no, tuple(n for n in self.unknown if n not in names))


def read_requirements(text: str, present: Collection[str] = ()) -> Wanted:
    """Read a file's text. `present`: canonical names of packages that the box already has."""
    install: dict[str, str] = {}
    left_out: list[str] = []
    refused: list[str] = []
    for number, raw in enumerate(text.splitlines()[: MAX_LINES + 1], start=1):
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        if not line or line.startswith("```"):
            continue
        if number > MAX_LINES:
            refused.append(f"line {number}: more than {MAX_LINES} lines")
            break
        _sort(line, number, present, install, left_out, refused)
    unknown = tuple(sorted(n for n in install if n not in known_packages()))
    return Wanted(tuple(install[n] for n in sorted(install)), tuple(left_out), tuple(refused), unknown)


def _sort(
    line: str, number: int, present: Collection[str], install: dict[str, str], left_out: list[str], refused: list[str]
) -> None:
    place = f"requirements.txt:{number}: {line[:80]!r}"
    core, _, marker = line.partition(";")
    match = _LINE.match(core.strip())
    if match is None:
        refused.append(f"{place}: {_reason(line)}")
        return
    if marker:
        left_out.append(f"{place}: holds only under a condition")
        return
    name, versions = canonical(match["name"]), re.sub(r"\s+", "", match["versions"]).strip(",")
    if name in NOT_PACKAGES or name.replace("-", "_") in sys.stdlib_module_names:
        left_out.append(f"{place}: part of Python itself")
        return
    real = canonical(DISTRIBUTIONS.get(match["name"], name))
    if real != name:
        left_out.append(f"{place}: the package is called {real}")
        name, versions = real, ""
    if name in present and not versions:
        left_out.append(f"{place}: already in the box")
        return
    extras = re.sub(r"\s+", "", match["extras"] or "")
    install[name] = f"{name}{extras}{versions}"


def _reason(line: str) -> str:
    if line.startswith("-"):
        return "options are not followed"
    if "://" in line or "@" in line or line.startswith("git+"):
        return "addresses are not followed, only names and versions"
    if line.startswith((".", "/", "~")) or "\\" in line or "/" in line:
        return "paths are not followed"
    return "this is no package name"


def canonical(name: str) -> str:
    """A package name as the index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _name(line: str) -> str:
    return re.split(r"[\[<>=!~]", line, maxsplit=1)[0]


@lru_cache(maxsize=1)
def known_packages() -> frozenset[str]:
    """Names that are installed without asking."""
    text = (Path(__file__).parent / "known_packages.txt").read_text(encoding="utf-8")
    words = " ".join(line for line in text.splitlines() if not line.startswith("#")).split()
    return frozenset(canonical(w) for w in words)
