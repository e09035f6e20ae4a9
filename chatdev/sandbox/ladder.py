"""The ladder: parse, import, start, window, tests, acceptance. One box for a whole climb.

The verdict is made of facts from the box, never of a model's opinion. Without an engine nothing is run and nothing is
called verified.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from chatdev.sandbox.bundle import Bundle, contents, pack
from chatdev.sandbox.config import SandboxConfig
from chatdev.sandbox.deps import Ask
from chatdev.sandbox.engine import Engine, why_no_engine
from chatdev.sandbox.entry import MAIN_NAMES, Entry, find_entry
from chatdev.sandbox.job import Job, Run, Step
from chatdev.sandbox.report import LadderReport, Rung, judge
from chatdev.sandbox.rung_import import PREFIX, import_steps, judge_imports
from chatdev.sandbox.rung_install import install_rung
from chatdev.sandbox.rung_parse import parse_rung
from chatdev.sandbox.rung_start import judge_start, judge_window, needs_arguments, start_step
from chatdev.sandbox.rung_tests import accept_bundle, accept_step, has_tests, judge_tests, tests_step

PACKAGING = ("pyproject.toml", "setup.py", "setup.cfg")
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
    climber.ask = ask
    climber.climb(accept)
    verdict, reason = judge(climber.rungs)
    return LadderReport(
        verdict=verdict,
        reason=reason,
        rungs=tuple(climber.rungs),
        engine=engine.describe() if engine else f"none: {climber.no_engine}",
        fingerprint=bundle.fingerprint,
        missing_limits=tuple(engine.missing_limits()) if engine else (),
        entry=" ".join(climber.entry.command) if climber.entry else "",
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
        self.rungs: list[Rung] = []
        self.ask: Ask | None = None
        self.deps: str | None = None
        self.no_engine = "" if engine else why_no_engine(config)

    def climb(self, accept: Path | None) -> None:
        self._add(parse_rung(self.files))
        rest = ["import", "start", "window", "tests", *(["acceptance"] if accept else [])]
        if self.rungs[0].state == "failed":
            for name in rest:
                self._add(
                    Rung(name, "skipped", "not climbed, the files do not parse")
                )  # nothing could be learned from it
        elif self.engine is None:
            for name in rest:
                if name != "tests" or has_tests(self.files):
                    self._add(Rung(name, "unverified", f"not run: {self.no_engine}"))
        else:
            self._run(self.engine, accept)

    def _run(self, engine: Engine, accept: Path | None) -> None:
        """All rungs that need a box, in one."""
        installed, deps = install_rung(self.files, engine, self.ask)
        if installed is not None:
            self._add(installed)
        self.deps = deps
        imports, scripts, notes = import_steps(self.files, self.entry)
        steps: list[Step] = list(imports)
        extra: dict[str, Bundle] = {"scripts": scripts} if scripts else {}
        start = PurePosixPath(self.entry.file).parent.as_posix() if self.entry else "."
        if self.entry:
            steps.append(start_step(self.entry, self.config))
        if has_tests(self.files):
            steps.append(tests_step(self.config, start))
        if accept:
            extra["acceptance"] = accept_bundle(accept)
            steps.append(accept_step(self.config, start))
        importing: list[Run] = []

        def hear(run: Run) -> None:
            if run.name.startswith(PREFIX):
                importing.append(run)
            else:
                self._judge(run, engine)
            if len(importing) == len(imports) and not any(r.name == "import" for r in self.rungs):
                self._add(judge_imports(importing, self.files, notes))
                if self.entry is None:
                    self._no_entry()

        if not imports:
            self._add(judge_imports([], self.files, notes))
        if not imports and self.entry is None:
            self._no_entry()
        if steps:
            engine.perform(Job(self.bundle, tuple(steps), extra, deps, display=self._display()), hear)
        if not has_tests(self.files):
            self._add(Rung("tests", "skipped", "the product has no tests"))

    def _judge(self, run: Run, engine: Engine) -> None:
        self._keep(run)
        if run.name == "start" and self.entry:
            if needs_arguments(run):
                self._add(self._help(engine, self.entry, run))
            else:
                self._add(judge_start(run, self.entry, self.files))
            self._add(judge_window(run, self.entry, self.files))
        elif run.name in ("tests", "acceptance"):
            changed = run.facts.get("changed", {}).get("acceptance", []) if run.name == "acceptance" else []
            self._add(judge_tests(run, changed, hidden=run.name == "acceptance"))

    def _help(self, engine: Engine, entry: Entry, refused: Run) -> Rung:
        """A command-line program that wants arguments has started when it can explain itself."""
        step = Step("help", [*entry.command, "--help"], seconds=self.config.seconds)
        done = engine.perform(Job(self.bundle, (step,), deps=self.deps))[0]
        self._keep(done)
        first = judge_start(refused, entry, self.files)
        if done.exit_code == 0 and done.stdout.text.strip():
            summary = "it asks for arguments (exit status 2) and explains them with --help (exit status 0)"
            return Rung(
                "start",
                "passed",
                summary,
                "",
                (*first.evidence, "help.stdout.txt"),
                first.seconds + done.seconds,
                first.facts,
            )
        return first

    def _no_entry(self) -> None:
        if has_tests(self.files) and any(n in self.files for n in PACKAGING):
            for name in ("start", "window"):
                self._add(Rung(name, "skipped", "it is a library: there is nothing to start"))
            return
        looked = f"looked for {', '.join(MAIN_NAMES[:4])} …, one script with a __main__ guard, package.json, index.html"
        self._add(Rung("start", "failed", "there is no entry point", looked))
        self._add(Rung("window", "skipped", "there is nothing to start"))

    def _display(self) -> bool:
        return bool(self.entry and self.entry.gui)

    def _add(self, rung: Rung) -> None:
        self.rungs.append(rung)
        if self.on_rung:
            self.on_rung(rung)

    def _keep(self, run: Run) -> None:
        """Write a run's output and files into the evidence folder."""
        if self.evidence is None:
            return
        self.evidence.mkdir(parents=True, exist_ok=True)
        for name, output in (("stdout", run.stdout), ("stderr", run.stderr)):
            (self.evidence / f"{run.name}.{name}.txt").write_text(output.text, encoding="utf-8", errors="replace")
        for name, data in run.collected.items():
            if re.fullmatch(r"[\w.-]{1,80}", name):
                target = f"{run.name}.{name}" if name == "junit.xml" else name
                (self.evidence / target).write_bytes(data)
