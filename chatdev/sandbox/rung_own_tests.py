"""The tests of products in other languages than Python: run with what their language has, believed only when counted.

A test has passed when the command ended with status 0 and told that it passed, by name. Each test that the sources
name has to be told of. Where the tool is ours (`runners/`), it reads a secret before a test begins and puts it before
every line that counts; what else is printed is not read.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from chatdev.sandbox.bundle import Bundle, bundle_of
from chatdev.sandbox.config import SandboxConfig
from chatdev.sandbox.entry import Entry
from chatdev.sandbox.job import Run, Step
from chatdev.sandbox.languages import Tests, languages
from chatdev.sandbox.recipe import HEADERS, RUNNER, Round, without_comments
from chatdev.sandbox.report import Rung, State, shorten
from chatdev.sandbox.rung_build import what_lacks
from chatdev.sandbox.rung_tests import in_box, too_many, with_data
from chatdev.sandbox.traces import plain

RUNNERS = Path(__file__).parent / "runners"
MAX_ROUNDS = 30
"""Files of tests that are built and run one by one."""
SHARED = 4
"""So many times the limit of one command is what all rounds share; each has `LEAST` seconds."""
LEAST = 20.0
WORST = ("failed", "unverified", "passed")


class OwnTests:
    """The steps that run them, and what became of each."""

    def __init__(self, entry: Entry, config: SandboxConfig, files: Mapping[str, bytes]) -> None:
        self.entry, self.files = entry, files
        how = languages()[entry.language].tests
        assert how is not None
        self.how: Tests = how
        self.secrets = [secrets.token_hex(16) if how.runner else "" for _ in entry.test]
        self.sealed = in_box(with_data(files, entry.tests))
        self.extra: dict[str, Bundle] = {}
        if how.runner:
            self.extra[RUNNER] = bundle_of({how.runner: (RUNNERS / how.runner).read_bytes()})
        self.steps = [step for number, one in enumerate(entry.test) for step in self._steps(number, one, config)]
        self.runs: list[Run] = []

    def wrong(self) -> str:
        """Why these tests are not run, or ""."""
        if len(self.entry.test) > MAX_ROUNDS:
            return f"more than {MAX_ROUNDS} files of tests are not run one by one"
        return self._spoiled() or too_many(self.sealed)

    def _spoiled(self) -> str:
        """The file of the product, beside its tests, that takes part in judging it."""
        suffixes = (*languages()[self.entry.language].suffixes, *HEADERS)
        for name in sorted(set(self.files) - with_data(self.files, self.entry.tests)):
            text = self.files[name].decode("utf-8", "replace") if name.endswith(suffixes) else ""
            if self.how.spoils and (found := self.how.spoils.search(text)):
                return f"the product decides itself what its tests say ({name}: {found[0].strip()[:100]})"
        return ""

    def hear(self, run: Run) -> Rung | None:
        """The verdict, once the last step has ended."""
        self.runs.append(run)
        if len(self.runs) < len(self.steps):
            return None
        runs = iter(self.runs)
        return self._together(
            [self._judge([next(runs) for _ in one.commands], n) for n, one in enumerate(self.entry.test)]
        )

    def _steps(self, number: int, one: Round, config: SandboxConfig) -> list[Step]:
        """A round begins with a fresh copy: what the program, or another test, has written is no part of it."""
        *build, last = (list(command) for command in one.commands)
        seconds = min(config.seconds, max(LEAST, SHARED * config.seconds / len(self.entry.test)))
        name = f"tests:{number}" if len(self.entry.test) > 1 else "tests"
        steps = [
            Step(f"{name}:{place}", command, seconds=seconds, fresh=place == 0) for place, command in enumerate(build)
        ]
        secret = self.secrets[number]
        given = f"{secret}\n".encode() if secret else None
        run = Step(name, last, stdin=given, seconds=seconds, fresh=not build, sealed=self.sealed)
        return [*steps, run]

    def _judge(self, runs: Sequence[Run], number: int) -> tuple[Rung, int]:
        """(verdict, how many tests passed) of one round."""
        one, secret = self.entry.test[number], self.secrets[number]
        run = next((run for run in runs if run.exit_code != 0), runs[-1])
        said = plain(run.stdout.text + run.stderr.text)
        said = (said.replace(f"{secret} ", "") if secret else said).strip()
        evidence = (f"{run.name.replace(':', '-')}.stdout.txt",)

        def rung(state: State, summary: str, mendable: bool = False) -> tuple[Rung, int]:
            return Rung("tests", state, summary, shorten(said, 3000), evidence, run.seconds, mendable=mendable), 0

        changed = runs[-1].facts.get("changed", [])
        if changed:
            return rung("failed", f"the tests were changed while they ran: {', '.join(changed[:3])}")
        if run.error.startswith("cannot start"):
            return rung("unverified", run.error)
        if run.exit_code != 0:
            what = what_lacks(said, self.how.lacks) if run.exit_code is not None else ""
            if what:
                return rung("unverified", f"the tests need {what}", mendable=True)
            return rung("failed", self._failure(run, said, one, last=run is runs[-1]))
        passed, missing = self._counted(run, one, secret)
        if missing and run.stdout.dropped:
            return rung("unverified", f"the tests print too much: what was kept does not tell of {missing[0]}", True)
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            return rung("failed", f"exit status 0, but {missing[0]}{more} did not come to its end")
        return Rung("tests", "passed", "", shorten(said, 3000), evidence, run.seconds), passed

    def _failure(self, run: Run, said: str, one: Round, *, last: bool) -> str:
        """The summary of tests that fail, or do not build."""
        why = run.error or (f"the {run.limit} limit" if run.limit else f"exit status {run.exit_code}")
        where = f" in {one.files[0]}" if len(self.entry.test) > 1 else ""
        if not last:
            line = next((line for line in said.splitlines() if "error" in line.lower()), said.partition("\n")[0])
            return f"the tests do not build{where} ({why}): {line[:300]}"
        fails = self.how.fails.search(said) if self.how.fails else None
        return f"the tests fail{where} ({why})" + (f": {fails['test'][:200]}" if fails else "")

    def _counted(self, run: Run, one: Round, secret: str) -> tuple[int, list[str]]:
        """(how many tests passed, those of the sources that the output does not tell of)."""
        text = plain(run.stdout.text)
        if secret:
            text = "\n".join(line[len(secret) :].strip() for line in text.splitlines() if line.startswith(secret))
        told = list(self.how.told.finditer(text))
        names = {_bare(found.groupdict().get("test", one.files[0])) for found in told}
        return sum(found["passed"] is not None for found in told), sorted(self._named(one) - names)

    def _named(self, one: Round) -> set[str]:
        """The tests that the sources name; a file that is a test by itself is its own name."""
        named = self.how.named
        if named is None:
            return set(one.files)
        found: set[str] = set()
        for file in one.files:
            text = self.files[file].decode("utf-8", "replace")
            if self.how.unless and self.how.unless.search(text):
                continue
            within = f"{PurePosixPath(file).stem}." if self.how.qualified else ""
            found |= {within + _bare(m[m.lastindex or 0]) for m in named.finditer(without_comments(text))}
        return found

    def _together(self, judged: Sequence[tuple[Rung, int]]) -> Rung:
        """One verdict of all rounds: the worst of them."""
        passed = sum(number for _, number in judged)
        worst = min((rung for rung, _ in judged), key=lambda rung: WORST.index(rung.state))
        seconds = sum(run.seconds for run in self.runs)
        if worst.state != "passed":
            bad = [rung for rung, _ in judged if rung.state == worst.state]
            more = f", and {len(bad) - 1} more files of tests" if len(bad) > 1 else ""
            details = "\n\n".join(shorten(f"{rung.summary}\n{rung.details}", 1200) for rung in bad[:8])
            evidence = tuple(name for rung in bad for name in rung.evidence)
            return Rung(
                "tests", worst.state, worst.summary + more, details if more else worst.details, evidence, seconds,
                mendable=all(rung.mendable for rung in bad),
            )  # fmt: skip
        if not passed:
            summary = "exit status 0, but no test was run"
            return Rung("tests", "unverified", summary, worst.details, worst.evidence, seconds, mendable=True)
        return Rung("tests", "passed", f"{passed} tests pass", "", worst.evidence, seconds)


def _bare(name: str) -> str:
    """A test's name without what sources and output escape differently."""
    return name.replace("\\", "").strip()
