"""A sandbox engine for rehearsals: steps run in forked copies of this process, in milliseconds.

The ladder above it is the real one, so its reports have exactly the form of a real climb, and failing tests are really
run. What a real box would watch for seconds (a window, a prompt) is acted: window toolkits are stand-ins that remember
the title, and a program that reads input after the last typed line is alive.

Only for programs that the curriculum made: nothing here protects against a hostile one.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import signal
import sys
import tarfile
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from chatdev.apprentice import stand_ins
from chatdev.errors import UserError
from chatdev.sandbox.config import SandboxConfig
from chatdev.sandbox.deps import Installed
from chatdev.sandbox.engine import OnRun
from chatdev.sandbox.job import Job, Output, Run, Step
from chatdev.sandbox.requirements import Wanted

SECONDS = 8
"""Longest run of a step."""
START_SECONDS = 1
"""A program that still runs after this is alive."""
ALIVE = 99
"""Exit status of a forked program that is alive."""


class QuickEngine:
    """Implements `sandbox.Engine` for rehearsals."""

    name = "rehearsal"

    def __init__(self, seed: int = 0) -> None:
        self.config = SandboxConfig(engine="host", install=False)
        self._rng = random.Random(f"{seed}/watch")

    def describe(self) -> str:
        """One line for the person."""
        return "rehearsal: forked processes, no walls, made for generated programs only"

    def perform(self, job: Job, on_run: OnRun | None = None) -> list[Run]:
        """Run a job's steps."""
        runs: list[Run] = []
        for step in job.steps:
            run = self._step(job, step)
            runs.append(run)
            if on_run is not None:
                on_run(run)
        return runs

    def session(self, job: Job, secret: str) -> Any:
        """Nobody uses a rehearsal's program."""
        raise UserError("a rehearsal starts no program for a person", fix="Use another sandbox engine")

    def install(self, wanted: Wanted) -> Installed:
        """Stand-ins need no installing."""
        return Installed(True, None, "")

    def lacks(self, kit: str) -> str:
        """Nothing, or a browser."""
        return "a rehearsal has no browser"

    def missing_limits(self) -> list[str]:
        """All limits are missing; nobody reads them."""
        return []

    def sweep(self) -> list[str]:
        """Nothing stays behind."""
        return []

    def _step(self, job: Job, step: Step) -> Run:
        box = Path(tempfile.mkdtemp(prefix="rehearsal-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
        try:
            work = box / "app"
            work.mkdir()
            with tarfile.open(fileobj=io.BytesIO(job.bundle.tar)) as tar:
                tar.extractall(work, filter="data")
            # Reports name seconds: drawn and not measured, so that a rehearsal is the same on every machine.
            return self._run(step, box, work, _fork(step, box, work), round(self._rng.uniform(0.05, 0.9), 1))
        finally:
            shutil.rmtree(box, ignore_errors=True)

    def _run(self, step: Step, box: Path, work: Path, code: int, seconds: float) -> Run:
        stdout, stderr = ((box / name).read_bytes() for name in ("stdout", "stderr"))
        collected = {name: (work / name).read_bytes() for name in step.collect if (work / name).is_file()}
        facts: dict[str, Any] = {}
        signs: tuple[str, ...] = ()
        alive = step.watch is not None and code in (ALIVE, -signal.SIGALRM)
        if step.watch is not None:
            typed = list(step.watch.talk) if (box / "typed").exists() else []
            facts = {"typed": typed, "windows": [], "pictures": [], "ports": []}
            title = box / "title"
            if step.watch.gui and title.exists() and code in (0, ALIVE, -signal.SIGALRM):
                alive, seconds = True, round(self._rng.uniform(6.0, 7.2), 1)
                signs, facts = self._window(title.read_text(encoding="utf-8"), facts)
            elif alive:
                signs, seconds = ("waits for input",), round(self._rng.uniform(6.0, 6.6), 1)
        timed_out = code == -signal.SIGALRM and not alive
        return Run(
            step.name, None if alive or timed_out else code, seconds, Output(stdout[:60_000], b"", len(stdout)),
            Output(stderr[:60_000], b"", len(stderr)), timed_out, collected=collected, alive=alive, signs=signs,
            limit="time" if timed_out else None, facts=facts,
        )  # fmt: skip

    def _window(self, title: str, facts: dict[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
        """What a watcher would tell of a window."""
        width, height = self._rng.randrange(200, 900), self._rng.randrange(160, 720)
        pictures = [
            {"name": f"window-{n}.png", "colours": self._rng.randrange(8, 260), "drawn": 5000, "checksum": n}
            for n in range(2)
        ]
        windows = [{"title": title, "width": width, "height": height}]
        return (f'a window "{title}" of {width}x{height}',), {**facts, "windows": windows, "pictures": pictures}


def _fork(step: Step, box: Path, work: Path) -> int:
    """Run a step in a forked process; its exit status, negative for a signal."""
    _warm()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.setpgid(0, 0)
            code = _child(step, box, work)
        finally:
            os._exit(code)
    try:
        _, status = os.waitpid(child, 0)
    finally:
        # The tests run in a process that it started, which an endless one would outlive the alarm in.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(status)


@lru_cache(maxsize=1)
def _warm() -> None:
    """Let pytest run once in this process, so that every fork has its modules; without plugins it starts quickly."""
    import pytest

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        test = Path(folder) / "test_nothing.py"
        test.write_text("def test_nothing():\n    assert [1] == [2], 'warm'\n", encoding="utf-8")
        options = ["-q", "-p", "no:cacheprovider", f"--rootdir={folder}", f"--junitxml={folder}/junit.xml"]
        if "PYTEST_CURRENT_TEST" not in os.environ:  # it is warm already, and must not be started in itself
            pytest.main([*options, "-o", "addopts=", str(test)])
        sys.modules.pop("test_nothing", None)


def _child(step: Step, box: Path, work: Path) -> int:
    """In the fork: become `python3 ...` as far as a program can tell."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        handle = os.open(box / name, os.O_CREAT | os.O_WRONLY)
        os.dup2(handle, number)
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w"), encoding="utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w"), encoding="utf-8", write_through=True)
    os.chdir(work)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(START_SECONDS if step.watch is not None else SECONDS)
    stand_ins.install(box / "title")
    sys.stdin = stand_ins.Typed(step.watch.talk if step.watch is not None else (), box / "typed")
    program, arguments = step.command[1], step.command[2:]
    try:
        if program == "-c":
            sys.argv, sys.path[0:0] = ["-c", *arguments[1:]], [""]
            exec(compile(arguments[0], "<string>", "exec"), {"__name__": "__main__"})
        else:
            sys.argv, sys.path[0:0] = [program, *arguments], [str(work)]
            source = Path(program).read_text(encoding="utf-8")
            module = type(sys)("__main__")
            module.__dict__.update(__file__=program)
            sys.modules["__main__"] = module
            exec(compile(source, str(work / program), "exec"), module.__dict__)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else _complain(end.code)
    except stand_ins.StillAlive:
        return ALIVE
    except BaseException as error:  # noqa: BLE001  (a program may die of anything)
        _print(error, work)
        return 1
    finally:
        with contextlib.suppress(ValueError, OSError):
            sys.stdout.flush()
            sys.stderr.flush()
    return 0


def _complain(said: object) -> int:
    sys.stderr.write(f"{said}\n")
    return 1


def _print(error: BaseException, work: Path) -> None:
    """The traceback, with the frames that a plain `python3` would show and the paths of a real box."""
    import traceback

    from chatdev.sandbox.job import WORK

    here = str(Path(__file__).resolve())
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename == here:
        tb = tb.tb_next
    text = "".join(traceback.format_exception(type(error), error, tb))
    sys.stderr.write(text.replace(str(work), WORK))
