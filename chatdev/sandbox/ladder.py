"""The ladder: parse, install, import (or build), start, window, tests, acceptance. One box for a whole climb.

The verdict is made of facts from the box, never of a model's opinion. Without an engine nothing is run and nothing is
called verified.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from chatdev.sandbox import rung_build, rung_import
from chatdev.sandbox.bundle import Bundle, contents, pack
from chatdev.sandbox.config import SandboxConfig
from chatdev.sandbox.deps import Ask
from chatdev.sandbox.engine import Engine, why_no_engine
from chatdev.sandbox.entry import MAIN_NAMES, Entry, find_entry
from chatdev.sandbox.job import Job, Run, Step
from chatdev.sandbox.languages import languages
from chatdev.sandbox.report import LadderReport, Rung, judge
from chatdev.sandbox.rung_build import build_steps, judge_build
from chatdev.sandbox.rung_import import import_steps, judge_imports
from chatdev.sandbox.rung_install import install_rung
from chatdev.sandbox.rung_own_tests import OwnTests
from chatdev.sandbox.rung_parse import parse_rung
from chatdev.sandbox.rung_start import asks_for_arguments, judge_help, judge_start, start_step
from chatdev.sandbox.rung_tests import (
    ACCEPTANCE,
    accept_bundle,
    accept_step,
    has_tests,
    judge_tests,
    tests_step,
    too_many,
)
from chatdev.sandbox.rung_window import judge_window

PACKAGING = ("pyproject.toml", "setup.py", "setup.cfg")
WEB = "web"
OnRung = Callable[[Rung], None]


def climb(
    folder: Path, engine: Engine | None, config: SandboxConfig, *, accept: Path | None = None, ask: Ask | None = None,
    on_rung: OnRung | None = None, evidence: Path | None = None,
) -> LadderReport:  # fmt: skip
    """Climb the ladder with the software in `folder`; the folder itself is only read.

    `accept`: the user's own pytest file or folder. `ask`: asked before a package nobody here knows is installed.
    `on_rung` hears of every rung as it is judged. `evidence`: a folder for logs, junit.xml and screenshots.

    Raises:
        UserError: no such folder, too large, or the engine went away.
    """
    begun = time.monotonic()
    bundle = pack(folder)
    climber = _Climber(bundle, engine, config, on_rung, evidence)
    climber.climb(accept, ask)
    verdict, reason = judge(climber.rungs)
    return LadderReport(
        verdict=verdict,
        reason=reason,
        rungs=tuple(climber.rungs),
        engine=engine.describe() if engine else f"none: {climber.no_engine}",
        fingerprint=bundle.fingerprint,
        missing_limits=tuple(engine.missing_limits()) if engine else (),
        entry=shlex.join(climber.entry.command) if climber.entry else "",
        seconds=round(time.monotonic() - begun, 2),
    )


class _Climber:
    """The state of one climb."""

    def __init__(
        self,
        bundle: Bundle,
        engine: Engine | None,
        config: SandboxConfig,
        on_rung: OnRung | None,
        evidence: Path | None,
    ) -> None:
        self.bundle, self.engine, self.config = bundle, engine, config
        self.on_rung, self.evidence = on_rung, evidence
        self.files: Mapping[str, bytes] = contents(bundle)
        self.entry: Entry | None = find_entry(self.files)
        self.first = "build" if self.entry and self.entry.build else "import"
        self.rungs: list[Rung] = []
        self.deps: str | None = None
        self.accept: Bundle | None = None
        self.kit: str | None = None
        self.own: OwnTests | None = OwnTests(self.entry, config, self.files) if self.entry and self.entry.test else None
        self.unsealed = ""
        self.no_engine = "" if engine else why_no_engine(config)

    def climb(self, accept: Path | None, ask: Ask | None) -> None:
        self.accept = accept_bundle(accept) if accept else None
        self._add(parse_rung(self.files, self.bundle.left_out))
        if self.rungs[0].state == "failed":
            self._none("skipped", "not climbed, the files do not parse")  # nothing could be learned from it
            return
        if self.engine is None:
            self._none("unverified", f"not run: {self.no_engine}")
            return
        lack = self.engine.lacks(self.entry.kit) if self.entry and self.entry.kit else ""
        if lack:
            self._none("unverified", f"not run: {lack}")
            return
        installed, self.deps = install_rung(self.files, self.engine, ask)
        if installed is not None:
            self._add(installed)
        self.kit = self._kit(self.engine)
        self._run(self.engine)
        if self.accept:
            self._accept(self.engine, self.accept)

    def _run(self, engine: Engine) -> None:
        """All rungs that need a box, in one; the user's hidden tests are not in it."""
        extra: dict[str, Bundle] = {}
        notes: list[str] = []
        if self.entry and self.entry.build:
            first = build_steps(self.entry, self.config)
        else:
            first, scripts, notes = import_steps(self.files, self.entry)
            extra = {"scripts": scripts} if scripts else {}
        steps = [*first, *self._later()]
        extra |= self.own.extra if self.own else {}
        heard: list[Run] = []

        def hear(run: Run) -> None:
            if run.name.startswith((rung_import.PREFIX, rung_build.PREFIX)):
                heard.append(run)
                self._keep(run)
                if len(heard) == len(first):
                    self._judge_first(heard, notes)
            else:
                self._judge(run, engine)

        if not first:
            self._judge_first([], notes)
        if steps:
            engine.perform(self._job(steps, extra), hear)
        if not any(r.name == "tests" for r in self.rungs):
            self._add(
                Rung("tests", "unverified", self.unsealed, mendable=self.own is not None)
                if self.unsealed
                else Rung("tests", "skipped", "the product has no tests")
            )

    def _accept(self, engine: Engine, hidden: Bundle) -> None:
        """The user's hidden tests, in a box of their own: no other step can read them."""
        build = build_steps(self.entry, self.config) if self.entry and self.entry.build else []
        step = accept_step(self.config, self._start(), self.files, hidden, fresh=not build)
        run = engine.perform(self._job([*build, step], {ACCEPTANCE: hidden}))[-1]
        self._keep(run)
        self._add(judge_tests(run, self.files, hidden))

    def _job(self, steps: list[Step], extra: dict[str, Bundle]) -> Job:
        display = bool(self.entry and self.entry.gui)
        return Job(self.bundle, tuple(steps), extra, self.deps, display=display, kit=self.kit)

    def _start(self) -> str:
        """The folder the entry point lies in."""
        return PurePosixPath(self.entry.file).parent.as_posix() if self.entry else "."

    def _later(self) -> list[Step]:
        """The steps after the first rung."""
        steps: list[Step] = []
        if self.entry:
            steps.append(start_step(self.entry, self.config, browser=self.kit == WEB))
        if self.own:
            self.unsealed = self.own.wrong()
            steps += [] if self.unsealed else self.own.steps
        elif has_tests(self.files):
            tests = tests_step(self.config, self._start(), self.files)
            self.unsealed = too_many(tests.sealed)
            steps += [] if self.unsealed else [tests]
        return steps

    def _judge_first(self, runs: list[Run], notes: list[str]) -> None:
        lacks = languages()[self.entry.language].lacks if self.entry and self.entry.language else ()
        self._add(judge_build(runs, lacks) if self.first == "build" else judge_imports(runs, self.files, notes))
        if self.entry is None:
            self._no_entry()

    def _judge(self, run: Run, engine: Engine) -> None:
        self._keep(run)
        if run.name == "start" and self.entry:
            if asks_for_arguments(run, self.entry, self.files):
                self._add(self._help(engine, self.entry, run))
            else:
                self._add(judge_start(run, self.entry, self.files, tested=self._tested()))
            self._add(judge_window(run, self.entry, self.files, engine.lacks(WEB) if self.entry.web else ""))
        elif self.own:
            verdict = self.own.hear(run)
            if verdict:
                self._add(verdict)
        elif run.name == "tests":
            self._add(judge_tests(run, self.files))

    def _help(self, engine: Engine, entry: Entry, refused: Run) -> Rung:
        """A command-line program that wants arguments has started when it can explain itself."""
        build = build_steps(entry, self.config)
        step = Step("help", [*entry.command, "--help"], seconds=self.config.seconds, fresh=not build)
        done = engine.perform(Job(self.bundle, (*build, step), deps=self.deps, kit=self.kit))[-1]
        self._keep(done)
        return judge_help(refused, done, entry, self.files)

    def _tested(self) -> bool:
        """True when tests have to pass before anything is verified."""
        return bool(self.accept or has_tests(self.files) or (self.entry and self.entry.test))

    def _kit(self, engine: Engine) -> str | None:
        """The kit the box is made of: the language's, or the one with a browser where that is built."""
        if self.entry is None or self.entry.kit or not self.entry.web:
            return self.entry.kit if self.entry else None
        return None if engine.lacks(WEB) else WEB

    def _none(self, state: str, why: str) -> None:
        """All rungs that need a box, not climbed for one reason."""
        rest = [self.first, "start", "window", "tests", *([ACCEPTANCE] if self.accept else [])]
        for name in rest:
            if name != "tests" or state == "skipped" or has_tests(self.files) or (self.entry and self.entry.test):
                self._add(Rung(name, "unverified" if state == "unverified" else "skipped", why))

    def _no_entry(self) -> None:
        if has_tests(self.files) and any(n in self.files for n in PACKAGING):
            for name in ("start", "window"):
                self._add(Rung(name, "skipped", "it is a library: there is nothing to start"))
            return
        looked = f"looked for {', '.join(MAIN_NAMES[:4])} …, one script with a __main__ guard, package.json, index.html"
        self._add(Rung("start", "failed", "there is no entry point", looked))
        self._add(Rung("window", "skipped", "there is nothing to start"))

    def _add(self, rung: Rung) -> None:
        self.rungs.append(rung)
        if self.on_rung:
            self.on_rung(rung)

    def _keep(self, run: Run) -> None:
        """Write a run's output and files into the evidence folder."""
        if self.evidence is None or run.name.startswith(rung_import.PREFIX):
            return
        self.evidence.mkdir(parents=True, exist_ok=True)
        label = run.name.replace(":", "-")
        for name, output in (("stdout", run.stdout), ("stderr", run.stderr)):
            (self.evidence / f"{label}.{name}.txt").write_text(output.text, encoding="utf-8", errors="replace")
        for name, data in run.collected.items():
            if re.fullmatch(r"[\w.-]{1,80}", name):
                target = f"{label}.{name}" if name == "junit.xml" else name
                (self.evidence / target).write_bytes(data)
