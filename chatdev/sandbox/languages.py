"""Products in other languages, by the table `languages.yaml`: what builds, starts and tests them, and which image."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

Command = tuple[str, ...]


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
    test_files: re.Pattern[str] | None = None
    test: Command = ()
    test_named: re.Pattern[str] | None = None
    """Finds the names of the tests in their sources."""
    test_told: re.Pattern[str] | None = None
    """Finds them again in the output of `test`."""
    test_fails: re.Pattern[str] | None = None
    """Finds the name of a test that failed in that output."""
    test_unless: re.Pattern[str] | None = None
    """Test files in which this is found need not tell of all that is named in them."""
    test_lacks: re.Pattern[str] | None = None
    """Finds in that output what the tests need that is not there."""


@dataclass(frozen=True)
class Recipe:
    """How one product of a language is built, started and tested."""

    language: str
    file: str
    build: tuple[Command, ...]
    run: Command
    test: Command
    tests: tuple[str, ...] = ()
    """Files that are tests."""


@lru_cache(maxsize=1)
def languages() -> dict[str, Language]:
    """The table, by name."""
    import yaml

    table = yaml.safe_load((Path(__file__).parent / "languages.yaml").read_text(encoding="utf-8"))
    return {name: _language(name, entry) for name, entry in table.items()}


def recipe(files: Mapping[str, bytes]) -> Recipe | None:
    """The recipe for a product, or None when no language of the table has a starting file in it."""
    for language in languages().values():
        sources = sorted(n for n in files if n.endswith(language.suffixes) and not _hidden(n))
        tests = [n for n in sources if language.test_files and language.test_files.search(n)]
        sources = [n for n in sources if n not in tests]
        main = _main(language, sources, files)
        if main is None:
            continue
        build, run = next(
            (v for marker, v in language.variants.items() if marker in files), (language.build, language.run)
        )
        fill = _filler(main, sources, files)
        return Recipe(
            language.name, main, tuple(fill(c) for c in build), fill(run), fill(language.test) if tests else (),
            tuple(tests),
        )  # fmt: skip
    return None


def script_tests(files: Mapping[str, bytes]) -> tuple[Command, tuple[str, ...]]:
    """(command, files) of a JavaScript product's own tests; nothing when it has none."""
    language = languages()["javascript"]
    assert language.test_files is not None
    tests = sorted(
        n
        for n in files
        if n.endswith(language.suffixes)
        and language.test_files.search(n)
        and not _hidden(n)
        and "node_modules" not in PurePosixPath(n).parts
    )
    if not tests:
        return (), ()
    command = [w for word in language.test for w in ([_safe(n) for n in tests] if word == "{tests}" else [word])]
    return tuple(command), tuple(tests)


def _main(language: Language, sources: list[str], files: Mapping[str, bytes]) -> str | None:
    for name in language.named:
        if name in sources:
            return name
    found = [n for n in sources if language.main.search(files[n].decode("utf-8", "replace"))]
    found.sort(key=lambda n: (PurePosixPath(n).stem.lower() not in ("main", "app", "program"), n.count("/"), n))
    return found[0] if found else None


def _filler(main: str, sources: list[str], files: Mapping[str, bytes]) -> Any:
    path = PurePosixPath(main)
    package = re.search(r"^\s*package\s+([\w.]+)\s*;", files[main].decode("utf-8", "replace"), re.MULTILINE)
    values = {
        "{main}": _safe(main),
        "{stem}": path.stem,
        "{path}": path.with_suffix("").as_posix(),
        "{class}": f"{package[1]}.{path.stem}" if package else path.stem,
    }

    def fill(command: Command) -> Command:
        words: list[str] = []
        for word in command:
            if word == "{sources}":
                words += [_safe(s) for s in sources]
                continue
            for key, value in values.items():
                word = word.replace(key, value)
            words.append(word)
        return tuple(words)

    return fill


def _safe(name: str) -> str:
    """A path that no compiler takes for an option or a response file."""
    return f"./{name}" if name.startswith(("-", "@")) else name


def _hidden(name: str) -> bool:
    return any(part in ("build", "target", "dist") or part.startswith(".") for part in PurePosixPath(name).parts)


def _language(name: str, entry: Mapping[str, Any]) -> Language:
    test = entry.get("test", {})
    return Language(
        name=name,
        suffixes=tuple(entry["suffixes"]),
        main=re.compile(entry["main"], re.MULTILINE),
        packages=tuple(entry["packages"]),
        needs=tuple(entry["needs"]),
        build=tuple(tuple(c) for c in entry["build"]),
        run=tuple(entry["run"]),
        named=tuple(entry.get("named", ())),
        variants={k: (tuple(tuple(c) for c in v["build"]), tuple(v["run"])) for k, v in entry.get("with", {}).items()},
        test_files=re.compile(test["files"]) if test else None,
        test=tuple(test.get("command", ())),
        test_named=re.compile(test["named"], re.MULTILINE) if test else None,
        test_told=re.compile(test["told"], re.MULTILINE) if test else None,
        test_fails=_pattern(test, "fails"),
        test_unless=_pattern(test, "unless"),
        test_lacks=_pattern(test, "lacks"),
    )


def _pattern(test: Mapping[str, Any], key: str) -> re.Pattern[str] | None:
    return re.compile(test[key], re.MULTILINE) if key in test else None
