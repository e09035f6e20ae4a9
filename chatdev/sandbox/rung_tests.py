"""Rungs 5 and 6: pytest in the box, judged by its exit status and junit.xml; the user's own tests stay hidden.

The engine seals the test files: nothing in the box can write them. After the run they are compared all the same with
what was sent in, so a program that puts others in their place does not pass. And the report is counted: every test
that the files define has to be in it, and none may be skipped unless the tests themselves say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from chatdev.errors import UserError
from chatdev.sandbox.bundle import Bundle, bundle_of, contents, pack
from chatdev.sandbox.config import SandboxConfig
from chatdev.sandbox.entry import is_test
from chatdev.sandbox.expected import judges_itself, promised, test_files
from chatdev.sandbox.hidden import veiled
from chatdev.sandbox.job import WORK, Run, Step
from chatdev.sandbox.languages import TEST_FOLDERS
from chatdev.sandbox.pytest_run import NO_PYTEST, pytest_command
from chatdev.sandbox.report import Rung, State, shorten
from chatdev.sandbox.traces import plain

NO_TESTS = 5
MAX_XML = 8 * 1024**2
MAX_SEALED = 2000
"""Files and folders that an engine can keep from being written; bubblewrap takes 9,000 words of options."""
ACCEPTANCE = "acceptance"


@dataclass(frozen=True)
class Case:
    """One test that did not pass."""

    name: str
    message: str
    text: str


@dataclass(frozen=True)
class Junit:
    """What junit.xml says."""

    total: int
    skipped: int
    bad: tuple[Case, ...]
    names: frozenset[str] = frozenset()
    """Every test in it, without parameters; and the modules that were left out as a whole."""
    why_skipped: str = ""
    """The first reason for a skip."""


def has_tests(files: Mapping[str, bytes]) -> bool:
    return bool(test_files(files))


def tests_step(config: SandboxConfig, start: str, files: Mapping[str, bytes]) -> Step:
    """Run the product's own tests. `start` is the folder its entry point lies in."""
    command = pytest_command(test_files(files), ".", start, files)
    collect = ("junit.xml", "coverage.xml")
    return Step("tests", command, seconds=config.seconds, collect=collect, sealed=in_box(with_data(files)))


def with_data(files: Iterable[str], tests: Iterable[str] = ()) -> set[str]:
    """What no program may write while it is tested: test files (and those named), and all that lies in their folders,
    as an expected result is as good as a test.
    """
    return {n for n in files if is_test(n) or TEST_FOLDERS & set(PurePosixPath(n).parts[:-1])} | set(tests)


def too_many(sealed: Iterable[str]) -> str:
    """Why these files cannot all be kept from being written, or ""."""
    names = [PurePosixPath(name) for name in sealed]
    mounts = {*names, *(parent for name in names for parent in name.parents)}
    return (
        f"more than {MAX_SEALED:,} files of tests cannot be kept from being written" if len(mounts) > MAX_SEALED else ""
    )


def in_box(names: Iterable[str], folder: str = PurePosixPath(WORK).name) -> tuple[str, ...]:
    """Files of the product (or of another folder of the box) as a step's `sealed` names them."""
    return tuple(f"{folder}/{name}" for name in sorted(names))


def accept_step(
    config: SandboxConfig, start: str, files: Mapping[str, bytes], hidden: Bundle, *, fresh: bool = True
) -> Step:
    """Run the user's hidden tests, which lie beside the product; `fresh` is False for what had to be built."""
    root = f"../{ACCEPTANCE}"
    theirs = contents(hidden)
    tests = [f"{root}/{name}" for name in test_files(theirs)] or [root]
    command = pytest_command(tests, root, start, {**files, **theirs})
    sealed = in_box(hidden.files, ACCEPTANCE)
    return Step(ACCEPTANCE, command, seconds=config.seconds, fresh=fresh, collect=("junit.xml",), sealed=sealed)


def accept_bundle(path: Path) -> Bundle:
    """The user's tests: a folder, or one file.

    Raises:
        UserError: nothing is there.
    """
    if path.is_dir():
        found = pack(path)
        if wrong := too_many(found.files):
            raise UserError(wrong, where=str(path), fix="Give fewer files.")
        return found
    if not path.is_file():
        raise UserError(
            "there are no acceptance tests", where=str(path), fix="Give a folder or a file of pytest tests."
        )
    name = path.name if is_test(path.name) else f"test_{path.name}"
    return bundle_of({name: path.read_bytes()})


def judge_tests(run: Run, files: Mapping[str, bytes], hidden: Bundle | None = None) -> Rung:
    """The rung `tests` or `acceptance` from its run. `files` are the product's. Of hidden tests nothing is shown but
    what `veiled` leaves, with places in the product.
    """
    evidence = [f"{run.name}.stdout.txt", *(f"{run.name}.{n}" if n == "junit.xml" else n for n in run.collected)]
    junit = read_junit(run.collected.get("junit.xml", b""))
    if junit and hidden:
        junit = veiled(junit, hidden, files)
    changed = [str(name) for name in run.facts.get("changed", [])]
    covered = _coverage(run.collected.get("coverage.xml", b""))
    state, summary = _state(run, junit, changed)
    if junit and state == "passed":
        state, summary = _counted(junit, contents(hidden) if hidden else files) or (state, summary)
        if state == "failed" and junit.why_skipped and not hidden:
            summary += f": {junit.why_skipped}"
    if state == "passed" and not hidden and (hook := judges_itself(files)):
        state, summary = "unverified", f"the product decides itself what its tests say ({hook})"
    if covered is not None and state == "passed":
        summary += f", {covered:.0f} % of the lines covered"
    details = "" if state == "passed" else _details(run, junit, hidden is not None)
    return Rung(
        run.name, state, summary, details, tuple(evidence), run.seconds,
        facts={"tests": junit.total if junit else 0, "failed": len(junit.bad) if junit else 0, "coverage": covered},
        mendable=state == "unverified" and not hidden and run.exit_code != NO_PYTEST,
    )  # fmt: skip


def read_junit(data: bytes) -> Junit | None:
    """Read pytest's report; None when there is none that can be trusted (too large, entities, no XML)."""
    if not data or len(data) > MAX_XML or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        return None
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError:
        return None
    total, skipped, bad, names, why = 0, 0, [], set(), ""
    for case in root.iter("testcase"):
        total += 1
        skip = case.find("skipped")
        if skip is not None:
            skipped += 1
            why = why or plain(skip.get("message") or "")[:200]
        where = ".".join(p for p in (case.get("classname"), case.get("name")) if p)
        names.add(where.partition("[")[0])
        for kind in ("failure", "error"):
            found = case.find(kind)
            if found is not None:
                bad.append(Case(where, plain(found.get("message") or ""), plain(found.text or "")))
                break
    return Junit(total, skipped, tuple(bad), frozenset(names), why)


def _counted(junit: Junit, tests: Mapping[str, bytes]) -> tuple[State, str] | None:
    """Why a report without a failure is no proof: tests that are not in it, or skips that no test asks for."""
    missing = sorted(
        name for name in promised(tests) if not {name, *_modules(name)} & junit.names
    )  # fmt: skip
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return "failed", f"{missing[0]}{more} was never run: something left it out"
    words = (b"skip", b"xfail", b"parametrize")
    if junit.skipped and not any(w in data.lower() for n, data in tests.items() if n.endswith(".py") for w in words):
        return "failed", f"{junit.skipped} of {junit.total} tests were skipped, though no test says so"
    return None


def _modules(name: str) -> list[str]:
    """The names that a module of this test may have: one that is skipped as a whole is one line in the report."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def _state(run: Run, junit: Junit | None, changed: list[str]) -> tuple[State, str]:
    if run.exit_code == NO_PYTEST:
        return "unverified", "pytest is not installed in this box"
    if run.timed_out:
        return "failed", f"the tests did not end within {run.seconds:.0f} s"
    if run.error or (run.limit and run.exit_code != 0):
        return "failed", run.error or f"the tests ran into the {run.limit} limit"
    if changed:
        return "failed", f"the tests were changed while they ran: {', '.join(changed[:3])}"
    if run.exit_code == NO_TESTS:
        return "unverified", "there are test files, but pytest finds no test in them"
    if junit is None:
        return "failed", f"pytest ended with exit status {run.exit_code} and left no readable report"
    if run.exit_code != 0 or junit.bad:
        first = (
            f": {junit.bad[0].name}: {junit.bad[0].message.splitlines()[0] if junit.bad[0].message else ''}"
            if junit.bad
            else ""
        )
        return "failed", f"{len(junit.bad) or 'some'} of {junit.total} tests fail{first}"[:400]
    if junit.total == junit.skipped:
        return "unverified", f"all {junit.total} tests were skipped"
    return "passed", f"{junit.total - junit.skipped} tests pass" + (
        f", {junit.skipped} skipped" if junit.skipped else ""
    )


def _details(run: Run, junit: Junit | None, hidden: bool) -> str:
    if junit is None or not junit.bad:
        return shorten(plain(run.stdout.text + run.stderr.text).strip(), 3000) if not hidden else ""
    return "\n\n".join(
        f"{c.name}\n{shorten(c.message if hidden else c.text or c.message, 1200)}" for c in junit.bad[:8]
    )


def _coverage(data: bytes) -> float | None:
    """Percent of lines covered, from the head of coverage.xml (a program wrote it: it is not parsed)."""
    rate = re.search(rb'<coverage [^>]{0,600}line-rate="([0-9.]{1,20})"', data[:4000])
    return float(rate[1]) * 100 if rate else None
