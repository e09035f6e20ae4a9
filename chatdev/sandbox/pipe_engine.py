"""What the bubblewrap and the host engine share: a local child process that speaks the box protocol over pipes."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chatdev.sandbox import owner, wire
from chatdev.sandbox.config import SandboxConfig
from chatdev.sandbox.engine import OnRun
from chatdev.sandbox.job import Job, Run

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


class PipeEngine:
    """Runs jobs in a child process; `launch` says which."""

    name = "pipe"

    def __init__(self, config: SandboxConfig, run_id: str) -> None:
        self.config, self.run_id = config, run_id

    def launch(self, space: Path, job: Job) -> Launch:
        raise TypeError(f"{type(self).__name__} does not say how a box is started")

    def perform(self, job: Job, on_run: OnRun | None = None) -> list[Run]:
        secret = wire.new_secret()
        reader = wire.Reader(job, secret, on_run)
        space = Path(tempfile.mkdtemp(prefix=PREFIX))
        (space / "owner").write_text(owner.mark(), encoding="ascii")
        try:
            launch = self.launch(space, job)
            process = subprocess.Popen(
                launch.command, env=dict(launch.env), cwd=space, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
            try:
                why = self._converse(process, launch, job, secret, reader)
            finally:
                self._end(process)
            return reader.finish(*why)
        finally:
            shutil.rmtree(space, ignore_errors=True)

    def sweep(self) -> list[str]:
        removed = []
        for space in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            try:
                gone = owner.is_gone((space / "owner").read_text(encoding="ascii"))
            except OSError:
                continue
            if gone:
                shutil.rmtree(space, ignore_errors=True)
                removed.append(space.name)
        return removed

    def attach(self, job: Job, ports: Sequence[int] = ()) -> int:
        from chatdev.sandbox.attach import attach

        return attach(self, job, ports)

    def _converse(
        self, process: subprocess.Popen[bytes], launch: Launch, job: Job, secret: str, reader: wire.Reader
    ) -> tuple[str, str | None]:
        """Returns why steps are missing: (reason, limit)."""
        pieces: queue.Queue[bytes] = queue.Queue(maxsize=64)
        threading.Thread(target=_drain, args=(process, pieces), daemon=True).start()
        complaint: list[bytes] = []
        threading.Thread(target=_listen, args=(process, complaint), daemon=True).start()
        until = time.monotonic() + wire.deadline(job) + wire.START_MARGIN
        stdin = process.stdin
        assert stdin is not None
        try:
            for piece in wire.opening(
                job, secret, work=launch.work, env=launch.product_env, keep=self.config.output_bytes,
                disk=self.config.disk_bytes if launch.own_namespace else 0, own_namespace=launch.own_namespace,
                rlimits=launch.rlimits,
            ):  # fmt: skip
                stdin.write(piece)
            stdin.flush()
        except OSError:
            pass  # it died while being fed; what it said tells why
        while not reader.done:
            left = until - time.monotonic()
            if left <= 0:
                return "the box did not end in time", "time"
            try:
                data = pieces.get(timeout=left)
            except queue.Empty:
                continue
            if not data:
                said = b"".join(complaint).decode("utf-8", "replace").strip().splitlines()
                return f"the box died ({said[-1] if said else f'exit {process.wait()}'})", None
            reader.feed(data)
            if reader.flooded:
                return "something in the box wrote to the engine's own line without end", "output"
        return "", None

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        for stream in (process.stdin,):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            process.wait(timeout=5)  # a closed input makes the supervisor end everything
        except subprocess.TimeoutExpired:
            if hasattr(os, "killpg"):
                with contextlib.suppress(OSError):
                    os.killpg(process.pid, 9)
            process.kill()
            process.wait()


def _drain(process: subprocess.Popen[bytes], pieces: queue.Queue[bytes]) -> None:
    assert process.stdout is not None
    handle = process.stdout.fileno()
    while True:
        try:
            data = os.read(handle, 65536)
        except (OSError, ValueError):
            data = b""
        pieces.put(data)
        if not data:
            return


def _listen(process: subprocess.Popen[bytes], said: list[bytes]) -> None:
    assert process.stderr is not None
    with contextlib.suppress(OSError, ValueError):
        while data := process.stderr.read1(4096):  # type: ignore[attr-defined]
            said.append(data)
            del said[:-16]
