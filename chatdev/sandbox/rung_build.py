"""Instead of the import rung, for languages that are compiled: the product builds, and its own tests run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from chatdev.sandbox.config import SandboxConfig
from chatdev.sandbox.entry import Entry
from chatdev.sandbox.job import Run, Step
from chatdev.sandbox.languages import languages
from chatdev.sandbox.report import Rung, shorten
from chatdev.sandbox.rung_tests import in_box, with_data
from chatdev.sandbox.traces import plain

PREFIX = "build:"
_COMMENT = re.compile(r""""(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|//[^\n]*|/\*.*?\*/""", re.DOTALL)
"""Comments, and the strings in which there are none."""


def build_steps(entry: Entry, config: SandboxConfig) -> list[Step]:
    """The build commands, each on what the one before left."""
    return [
        Step(f"{PREFIX}{number}", list(command), seconds=config.seconds, fresh=number == 0)
        for number, command in enumerate(entry.build)
    ]


def judge_build(runs: Sequence[Run]) -> Rung:
    """The build rung; the compiler's own words are its details."""
    seconds = sum(r.seconds for r in runs)
    for run in runs:
        if run.exit_code == 0:
            continue
        said = plain(run.stderr.text + run.stdout.text).strip()
        if run.error.startswith("cannot start"):
            return Rung("build", "unverified", run.error, seconds=seconds)
        why = f"the {run.limit} limit" if run.limit else f"exit status {run.exit_code}"
        first = next(
            (line for line in said.splitlines() if "error" in line.lower()), said.splitlines()[0] if said else ""
        )
        summary = run.error or f"{why}: {first[:300]}"
        return Rung("build", "failed", summary, shorten(said, 3000), (f"{run.name}.stderr.txt",), seconds)
    warnings = sum(run.stderr.text.count("warning:") for run in runs)
    return Rung("build", "passed", "it builds" + (f", with {warnings} warnings" if warnings else ""), seconds=seconds)


def language_tests(entry: Entry, config: SandboxConfig, files: Iterable[str]) -> Step | None:
    """The language's own tests, or None when there are none."""
    if not entry.test:
        return None
    return Step(
        "tests", list(entry.test), seconds=config.seconds, fresh=not entry.build,
        sealed=in_box(with_data(files, entry.tests)),
    )  # fmt: skip


def judge_language_tests(run: Run, entry: Entry, files: Mapping[str, bytes]) -> Rung:
    """Judged by the exit status, and by the tests that the tool says it ran: each that the sources name, and some."""
    said = plain(run.stdout.text + run.stderr.text).strip()
    changed = run.facts.get("changed", [])
    if changed:
        return Rung("tests", "failed", f"the tests were changed while they ran: {', '.join(changed[:3])}")
    if run.error.startswith("cannot start"):
        return Rung("tests", "unverified", run.error)
    evidence = ("tests.stdout.txt",)
    if run.exit_code != 0:
        why = run.error or (f"the {run.limit} limit" if run.limit else f"exit status {run.exit_code}")
        language = languages()[entry.language]
        lacks = language.test_lacks.search(said) if language.test_lacks and run.exit_code is not None else None
        if lacks:
            summary = f"the tests need {lacks['what']}, which is not there: only what comes with the language is"
            return Rung("tests", "unverified", summary, shorten(said, 3000), evidence, run.seconds, mendable=True)
        fails = language.test_fails.search(said) if language.test_fails else None
        first = f": {fails['test'][:200]}" if fails else ""
        return Rung("tests", "failed", f"the tests fail ({why}){first}", shorten(said, 3000), evidence, run.seconds)
    passed, missing = _counted(run, entry, files)
    if missing and run.stdout.dropped:
        summary = f"the tests print too much: what was kept does not tell of {missing[0]}"
        return Rung("tests", "unverified", summary, shorten(said, 3000), evidence, run.seconds, mendable=True)
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        summary = f"exit status 0, but {missing[0]}{more} did not come to its end"
        return Rung("tests", "failed", summary, shorten(said, 3000), evidence, run.seconds)
    if not passed:
        summary = "exit status 0, but no test was run"
        return Rung("tests", "unverified", summary, shorten(said, 3000), evidence, run.seconds, mendable=True)
    return Rung("tests", "passed", f"{passed} tests pass", "", evidence, run.seconds)


def _counted(run: Run, entry: Entry, files: Mapping[str, bytes]) -> tuple[int, list[str]]:
    """(how many tests passed, those of the sources that the output does not tell of)."""
    language = languages()[entry.language]
    assert language.test_named is not None
    assert language.test_told is not None
    told = list(language.test_told.finditer(plain(run.stdout.text)))
    names = {_bare(found["test"]) for found in told}
    texts = [files[name].decode("utf-8", "replace") for name in entry.tests]
    unless = language.test_unless
    texts = [_COMMENT.sub(_blank, text) for text in texts if not (unless and unless.search(text))]
    wanted = {_bare(m[m.lastindex or 0]) for text in texts for m in language.test_named.finditer(text)}
    return sum(found["passed"] is not None for found in told), sorted(wanted - names)


def _blank(found: re.Match[str]) -> str:
    """A string as it is; nothing for a comment and for a string of several lines, in which no test is defined."""
    text = found[0]
    return "" if text.startswith(("//", "/*")) or "\n" in text else text


def _bare(name: str) -> str:
    """A test's name without what sources and output escape differently."""
    return name.replace("\\", "").strip()
