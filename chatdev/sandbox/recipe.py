"""What to do with one product in a language of the table: the commands that build, start and test it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from chatdev.sandbox.languages import TEST_FOLDERS, Command, Language, hidden, languages

RUNNER = "runner"
"""The folder of a box, beside the product's, in which the file lies that watches a test come to its end."""
HEADERS = (".h", ".hh", ".hpp", ".hxx")
_INCLUDED = re.compile(r"^[ \t]*#[ \t]*include[ \t]*\"(?:[^\"\n]*/)?([^\"/\n]+)\"", re.MULTILINE)
_COMMENT = re.compile(
    r"""\"(?:\\.|[^\"\\\n])*\"?|'(?:\\.|[^'\\\n])*'?|`(?:\\.|[^`\\])*(?:`|\\?\Z)|//[^\n]*|/\*.*?(?:\*/|\Z)""", re.DOTALL
)
"""Comments, and the strings in which there are none. What is not closed is taken to its end: so the time is bounded."""


class Fill(Protocol):
    """Puts the product's own words into a command of the table."""

    def __call__(self, command: Command, tests: Sequence[str] = (), helpers: Sequence[str] = ()) -> Command: ...


@dataclass(frozen=True)
class Round:
    """Commands that begin with a fresh copy of the product; the last one runs the tests in `files`."""

    commands: tuple[Command, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class Recipe:
    """How one product of a language is built, started and tested."""

    language: str
    file: str
    build: tuple[Command, ...]
    run: Command
    test: tuple[Round, ...]
    tests: tuple[str, ...] = ()
    """Files that are tests."""


def recipe(files: Mapping[str, bytes]) -> Recipe | None:
    """The recipe for a product, or None when no language of the table has a starting file in it."""
    for language in languages().values():
        known = sorted(n for n in files if n.endswith(language.suffixes) and not hidden(n))
        tests = _without_parts([n for n in known if language.is_test(n)], known, language, files)
        main = _main(language, [n for n in known if n not in tests], files)
        if main is None:  # a program that measures how fast one types may well be called TypingTest
            main = _main(language, [n for n in tests if not TEST_FOLDERS & set(PurePosixPath(n).parts[:-1])], files)
        if main is None:
            continue
        tests = [n for n in tests if n != main]
        build, run = next(
            (v for marker, v in language.variants.items() if marker in files), (language.build, language.run)
        )
        fill = _filler(language, main, [n for n in known if n not in tests], files)
        tests += _with_tests_inside([n for n in known if n not in tests], language, files)
        rounds = _rounds(language, tests, fill, files)
        return Recipe(language.name, main, tuple(fill(c) for c in build), fill(run), rounds, tuple(tests))
    return None


def script_tests(files: Mapping[str, bytes]) -> tuple[tuple[Round, ...], tuple[str, ...]]:
    """(rounds, files) of a JavaScript product's own tests; nothing when it has none."""
    language = languages()["javascript"]
    tests = sorted(n for n in files if language.is_test(n) and not hidden(n))
    return _rounds(language, tests, _filler(language, "", [], files), files), tuple(tests)


def _without_parts(tests: list[str], known: list[str], language: Language, files: Mapping[str, bytes]) -> list[str]:
    """The tests without files that are only called like one and hold none: TestResult, where the program names it."""
    if not tests:
        return []
    texts = {n: without_comments(_text(files[n])) for n in known}
    words = {word for n in known if n not in tests for word in re.findall(r"\w+", texts[n])}
    how = language.tests

    def part(name: str) -> bool:
        path = PurePosixPath(name)
        if path.stem not in words or TEST_FOLDERS & set(path.parts[:-1]):
            return False
        return not any(p.search(texts[name]) for p in (how and how.each, how and how.named) if p)

    return [n for n in tests if not part(n)]


def _with_tests_inside(sources: list[str], language: Language, files: Mapping[str, bytes]) -> list[str]:
    """Sources that hold tests of their own, as is usual in Rust."""
    how = language.tests
    if how is None or how.named is None or not how.inside:
        return []
    return [n for n in sources if how.named.search(without_comments(_text(files[n])))]


def _main(language: Language, sources: list[str], files: Mapping[str, bytes]) -> str | None:
    for name in language.named:
        if name in sources:
            return name
    found = [n for n in sources if language.main.search(files[n].decode("utf-8", "replace"))]
    found.sort(key=lambda n: (PurePosixPath(n).stem.lower() not in ("main", "app", "program"), n.count("/"), n))
    return found[0] if found else None


def _rounds(language: Language, tests: list[str], fill: Fill, files: Mapping[str, bytes]) -> tuple[Round, ...]:
    """All tests at once, or each file that is a test by itself with those that are none."""
    how = language.tests
    if how is None or not tests:
        return ()
    commands = (*how.build, how.command)
    if not how.each:
        return (Round(tuple(fill(c, tests) for c in commands), tuple(tests)),)
    programs = [n for n in tests if how.each.search(without_comments(_text(files[n])))]
    helpers = [n for n in tests if n not in programs]
    if not programs:
        programs, helpers = tests, []
    return tuple(Round(tuple(fill(c, [n], helpers) for c in commands), (n,)) for n in programs)


def _filler(language: Language, main: str, sources: list[str], files: Mapping[str, bytes]) -> Fill:
    path = PurePosixPath(main)
    values = {"{main}": _safe(main), "{stem}": path.stem, "{path}": path.with_suffix("").as_posix() if main else ""}
    values["{folder}"] = f"./{path.parent.as_posix()}"
    values["{class}"] = _class(main, files) if main else ""
    if language.tests:
        values["{runner}"] = f"../{RUNNER}/{language.tests.runner}"
        values["{libraries}"] = ":".join(language.tests.libraries)
    # A header is included by its name alone, or by its path from any folder above it.
    headers = {f.as_posix() for n in files if n.endswith(HEADERS) and not hidden(n) for f in PurePosixPath(n).parents}
    # No header of the product's own may stand before the system's: it could be called assert.h.
    includes = [word for folder in sorted(headers) for way in ("-iquote", "-idirafter") for word in (way, folder)]
    lists = {"{sources}": [_safe(n) for n in sources], "{includes}": includes}

    def fill(command: Command, tests: Sequence[str] = (), helpers: Sequence[str] = ()) -> Command:
        taken = {PurePosixPath(name).name for n in tests for name in _INCLUDED.findall(_text(files[n]))}
        more = {
            "{tests}": [_safe(n) for n in tests],
            "{helpers}": [_safe(n) for n in helpers],
            "{classes}": [_class(n, files) for n in tests],
            "{compiled}": [f"./{PurePosixPath(n).with_suffix('.js')}" for n in tests],
            "{parts}": [
                _safe(n) for n in sources if (n == main or not _starts(n)) and PurePosixPath(n).name not in taken
            ],
        }
        words: list[str] = []
        for word in command:
            found = lists.get(word, more.get(word))
            if found is not None:
                words += found
                continue
            for key, value in values.items():
                word = word.replace(key, value)
            words.append(word)
        return tuple(words)

    def _starts(name: str) -> bool:
        return bool(language.main.search(without_comments(_text(files[name]))))

    return fill


def _class(name: str, files: Mapping[str, bytes]) -> str:
    """The full name of the class in a file of Java."""
    package = re.search(r"^[ \t]*package\s+([\w.]+)\s*;", _text(files[name]), re.MULTILINE)
    stem = PurePosixPath(name).stem
    return f"{package[1]}.{stem}" if package else stem


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _safe(name: str) -> str:
    """A path that no compiler takes for an option or a response file."""
    return f"./{name}" if name.startswith(("-", "@")) else name


def without_comments(text: str) -> str:
    """Source text without comments, and without strings of several lines, in which nothing is defined."""
    return _COMMENT.sub(_blank, text)


def _blank(found: re.Match[str]) -> str:
    text = found[0]
    comment = text.startswith("//") or (text.startswith("/*") and text.endswith("*/"))
    return "" if comment or (text.startswith("`") and text.endswith("`") and "\n" in text) else text
