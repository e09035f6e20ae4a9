"""What the bubblewrap and the host engine share: a local child process that speaks the box protocol over pipes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from chatdev.sandbox import owner, wire
from chatdev.sandbox.config import SandboxConfig
from chatdev.sandbox.engine import OnRun
from chatdev.sandbox.guest.main import wipe
from chatdev.sandbox.job import Job, Run
from chatdev.sandbox.line import Line, PipeLine
from chatdev.sandbox.slots import slot

PREFIX = "chatdev-box-"


@dataclass(frozen=True)
class Launch:
    """How to start the box's supervisor."""

    command: list[str]
    env: Mapping[str, str]
    """The supervisor's own environment."""
    product_env: Mapping[str, str]
    work: str
    """The product's folder as seen inside."""
    own_namespace: bool
    rlimits: Mapping[str, int] = field(default_factory=dict)
    handles: tuple[int, ...] = ()
    """Open files that the command inherits."""
    watch_memory: int = 0
    """Bytes that all processes of the product together may hold, watched by the supervisor; 0 when a group does it."""


class PipeEngine:
    """Runs jobs in a child process; `launch` says which."""

    name = "pipe"

    def __init__(self, config: SandboxConfig, run_id: str) -> None:
        self.config, self.run_id = config, run_id

    def launch(self, space: Path, job: Job) -> AbstractContextManager[Launch]:
        raise TypeError(f"{type(self).__name__} does not say how a box is started")

    def perform(self, job: Job, on_run: OnRun | None = None) -> list[Run]:
        secret = wire.new_secret()
        reader = wire.Reader(job, secret, on_run)
        with slot(), self.box(job) as (line, launch):
            failure = wire.converse(line, self.opening(job, secret, launch), reader, wire.deadline(job))
            return reader.finish(*self._why(line, failure)) if not reader.done else reader.finish("")

    @contextlib.contextmanager
    def box(self, job: Job) -> Iterator[tuple[PipeLine, Launch]]:
        """A started child and the line to it; ended, and its folder removed, whatever happens."""
        with self.space() as space, self.launch(space, job) as launch:
            yield from self._started(launch, space)

    @contextlib.contextmanager
    def space(self) -> Iterator[Path]:
        """A temporary folder that names its maker, so that a later sweep can tell whether it was left behind."""
        space = Path(tempfile.mkdtemp(prefix=PREFIX))
        (space / "owner").write_text(owner.mark(), encoding="ascii")
        try:
            yield space
        finally:
            wipe(space)

    def _started(self, launch: Launch, space: Path) -> Iterator[tuple[PipeLine, Launch]]:
        process = subprocess.Popen(
            launch.command, env=dict(launch.env), cwd="/" if launch.own_namespace else space, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, pass_fds=launch.handles,
        )  # fmt: skip
        line = PipeLine(process)
        try:
            yield line, launch
        finally:
            line.close()
            _end(process)

    @contextlib.contextmanager
    def session(self, job: Job, secret: str) -> Iterator[tuple[Line, Iterator[bytes]]]:
        with self.box(job) as (line, launch):
            yield line, self.opening(job, secret, launch)

    def opening(self, job: Job, secret: str, launch: Launch) -> Iterator[bytes]:
        """What is written to a new box."""
        return wire.opening(
            job, secret, work=launch.work, env=launch.product_env, keep=self.config.output_bytes,
            disk=self.config.disk_bytes if launch.own_namespace else 0, own_namespace=launch.own_namespace,
            rlimits=launch.rlimits, watch_memory=launch.watch_memory,
        )  # fmt: skip

    def sweep(self) -> list[str]:
        return sweep_spaces()

    def _why(self, line: PipeLine, failure: str) -> tuple[str, str | None]:
        """Why a box ended before its steps did: (reason, limit)."""
        if failure == "time":
            return "the box did not end in time", "time"
        if failure == "flood":
            return "something in the box wrote to the engine's own line without end", "output"
        with contextlib.suppress(subprocess.TimeoutExpired):
            line.process.wait(timeout=2)
        return f"the box died ({failure or line.said() or f'exit {line.process.returncode}'})", None


def sweep_spaces() -> list[str]:
    """Remove the folders of boxes whose maker is dead."""
    removed = []
    for space in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            gone = owner.is_gone((space / "owner").read_text(encoding="ascii"))
        except OSError:
            continue
        if gone:
            wipe(space)
            removed.append(space.name)
    return removed


def _end(process: subprocess.Popen[bytes]) -> None:
    """A closed input makes the supervisor end everything; what does not go is killed."""
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        if hasattr(os, "killpg"):
            with contextlib.suppress(OSError):
                os.killpg(process.pid, 9)
        process.kill()
        process.wait()
