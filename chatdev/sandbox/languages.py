"""Products in other languages, by the table `languages.yaml`: what builds, starts and tests them, and which image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

Command = tuple[str, ...]
TEST_FOLDERS = {"tests", "test", "testing", "__tests__"}


@dataclass(frozen=True)
class Tests:
    """How the tests that a product brings are run, and how they are counted. The table says what each is."""

    files: re.Pattern[str]
    command: Command
    told: re.Pattern[str]
    build: tuple[Command, ...] = ()
    each: re.Pattern[str] | None = None
    runner: str = ""
    libraries: tuple[str, ...] = ()
    qualified: bool = False
    inside: bool = False
    named: re.Pattern[str] | None = None
    fails: re.Pattern[str] | None = None
    unless: re.Pattern[str] | None = None
    spoils: re.Pattern[str] | None = None
    lacks: tuple[tuple[re.Pattern[str], str], ...] = ()


@dataclass(frozen=True)
class Language:
    """One entry of the table."""

    name: str
    suffixes: tuple[str, ...]
    main: re.Pattern[str]
    packages: tuple[str, ...]
    needs: tuple[str, ...]
    build: tuple[Command, ...]
    run: Command
    named: tuple[str, ...] = ()
    variants: Mapping[str, tuple[tuple[Command, ...], Command]] = field(default_factory=dict)
    """Marker file -> (build, run)."""
    lacks: tuple[tuple[re.Pattern[str], str], ...] = ()
    tests: Tests | None = None

    def is_test(self, name: str) -> bool:
        return bool(self.tests and name.endswith(self.suffixes) and self.tests.files.search(name))


@lru_cache(maxsize=1)
def languages() -> dict[str, Language]:
    """The table, by name."""
    import yaml

    table = yaml.safe_load((Path(__file__).parent / "languages.yaml").read_text(encoding="utf-8"))
    return {name: _language(name, entry) for name, entry in table.items()}


def is_language_test(name: str) -> bool:
    """True for files that the table takes for tests, whatever else the product is made of."""
    return not hidden(name) and any(language.is_test(name) for language in languages().values())


def hidden(name: str) -> bool:
    """True for what is no source of the product's own: what a build left, packages, folders with a dot, settings of
    tools (where the program imports one of these, the compiler finds it).
    """
    return name.endswith(".config.ts") or any(
        part in ("build", "target", "dist", "node_modules") or part.startswith(".")
        for part in PurePosixPath(name).parts
    )


def _language(name: str, entry: Mapping[str, Any]) -> Language:
    return Language(
        name=name,
        suffixes=tuple(entry["suffixes"]),
        main=re.compile(entry["main"], re.MULTILINE),
        packages=tuple(entry["packages"]),
        needs=tuple(entry["needs"]),
        build=_commands(entry["build"]),
        run=tuple(entry["run"]),
        named=tuple(entry.get("named", ())),
        variants={k: (_commands(v["build"]), tuple(v["run"])) for k, v in entry.get("with", {}).items()},
        lacks=_lacks(entry),
        tests=_tests(entry["test"], _lacks(entry)) if "test" in entry else None,
    )


def _tests(entry: Mapping[str, Any], lacks: tuple[tuple[re.Pattern[str], str], ...]) -> Tests:
    patterns = {
        key: re.compile(entry[key], re.MULTILINE)
        for key in ("each", "named", "fails", "unless", "spoils")
        if key in entry
    }
    return Tests(
        files=re.compile(entry["files"]),
        command=tuple(entry["command"]),
        told=re.compile(entry["told"], re.MULTILINE),
        build=_commands(entry.get("build", ())),
        runner=entry.get("runner", ""),
        libraries=tuple(entry.get("libraries", ())),
        qualified=entry.get("qualified", False),
        inside=entry.get("inside", False),
        lacks=(*lacks, *_lacks(entry)),
        **patterns,
    )


def _commands(entry: Iterable[Iterable[str]]) -> tuple[Command, ...]:
    return tuple(tuple(command) for command in entry)


def _lacks(entry: Mapping[str, Any]) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(found, re.MULTILINE), what) for found, what in entry.get("lacks", {}).items())
