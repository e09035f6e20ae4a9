"""The engine's end of the line to a box: what is sent in (code, plan, archives) and how frames are read back.

The same bytes go to a container, a bubblewrap box or a host process, so engines differ only in how they start
`python3 -I -c BOOTSTRAP` and in who carries its standard streams.
"""

from __future__ import annotations

import base64
import json
import math
import re
import secrets
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from chatdev.sandbox.job import Job, Run, Step
from chatdev.sandbox.line import Line

BOOTSTRAP = """\
import sys, json, types
stream = sys.stdin.buffer
modules, plan = json.loads(stream.read(int(stream.readline(32))))
for name, text in modules:
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = []
    exec(compile(text, name, "exec"), module.__dict__)
sys.modules["chatdev.sandbox.guest.main"].boot(plan)
"""
"""What `python3 -I -c` runs in a box: it reads the guest's modules from standard input and calls `boot`."""

MODULES = ("frames", "procs", "screen", "browser", "serve", "steps", "signs", "watch", "main")
MAX_FRAME = 64 * 1024**2
SERVE_SECONDS = 7 * 86_400.0
"""Longest time a product runs for a person."""
START_MARGIN = 30.0
"""Seconds allowed for starting a box and unpacking, on top of its steps' own times."""
STEP_MARGIN = 40.0
"""Seconds allowed for laying out files before a step and collecting them after it, on top of its own time."""


def opening(
    job: Job, secret: str, *, work: str, env: Mapping[str, str], keep: int, disk: int, own_namespace: bool,
    rlimits: Mapping[str, int] | None = None, watch_memory: int = 0, call_filter: bytes = b"",
) -> Iterator[bytes]:  # fmt: skip
    """Everything that is written to a new box, in pieces."""
    archives = {"product": job.bundle, **job.extra}
    plan = {
        "secret": secret,
        "work": work,
        "space": str(Path(work).parent) if not own_namespace else work.rpartition("/")[0],
        "env": {**env, **({"PYTHONPATH": "/deps"} if job.deps else {})},
        "keep": keep,
        "disk": disk,
        "own_namespace": own_namespace,
        "rlimits": dict(rlimits or {}),
        "watch_memory": watch_memory,
        "call_filter": base64.b64encode(call_filter).decode(),
        "deadline": deadline(job),
        "display": job.display,
        "serve": job.serve,
        "archives": [[name, len(bundle.tar)] for name, bundle in archives.items()],
        "steps": [_step(step) for step in job.steps],
    }
    text = json.dumps([_modules(), json.dumps(plan)]).encode()
    yield f"{len(text)}\n".encode() + text
    for bundle in archives.values():
        yield bundle.tar


def deadline(job: Job) -> float:
    """Seconds after which a box ends itself, whatever happens; the engine waits `START_MARGIN` longer."""
    return SERVE_SECONDS if job.serve else sum(step.seconds + 10 for step in job.steps) + START_MARGIN


def new_secret() -> str:
    return secrets.token_hex(16)


def _modules() -> list[tuple[str, str]]:
    folder = Path(__file__).parent / "guest"
    found = [(name, "") for name in ("chatdev", "chatdev.sandbox", "chatdev.sandbox.guest")]
    for name in MODULES:
        found.append((f"chatdev.sandbox.guest.{name}", (folder / f"{name}.py").read_text(encoding="utf-8")))
    return found


def _step(step: Step) -> dict[str, Any]:
    watch = step.watch
    return {
        "name": step.name,
        "command": step.command,
        "stdin": base64.b64encode(step.stdin).decode() if step.stdin is not None else None,
        "env": step.env,
        "seconds": step.seconds,
        "fresh": step.fresh,
        "pty": step.pty,
        "collect": list(step.collect),
        "cwd": step.cwd,
        "sealed": list(step.sealed),
        "watch": None
        if watch is None
        else {
            "start_seconds": watch.start_seconds, "quiet_seconds": watch.quiet_seconds, "gui": watch.gui,
            "talk": list(watch.talk), "browser": watch.browser,
        },
    }  # fmt: skip


class Frames:
    """Finds frames in the bytes a box writes; what lies between them is noise and is dropped."""

    def __init__(self, secret: str) -> None:
        self.head = re.compile(rb"\n\x00" + secret.encode() + rb" ([a-z]{1,12}) (\d{1,10}) (\d{1,10})\n")
        self.longest = len(secret) + 48
        self.buffer = bytearray()
        self.noise = 0
        self.torn = 0

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """Complete frames, in order."""
        self.buffer += data
        while (match := self.head.search(self.buffer)) is not None:
            size = int(match[2])
            if size > MAX_FRAME:
                self._drop(match.end())
                self.torn += 1
                continue
            if len(self.buffer) < match.end() + size:
                return
            payload = bytes(self.buffer[match.end() : match.end() + size])
            if zlib.crc32(payload) == int(match[3]):
                kind = match[1].decode()
                self.noise += match.start()
                del self.buffer[: match.end() + size]
                yield kind, payload
            else:
                self.torn += 1
                self._drop(match.end())
        if len(self.buffer) > self.longest:
            self._drop(len(self.buffer) - self.longest)

    def _drop(self, count: int) -> None:
        self.noise += count
        del self.buffer[:count]


class Reader:
    """Turns frames into `Run`s and tells listeners as they come."""

    def __init__(self, job: Job, secret: str, on_run: Callable[[Run], None] | None) -> None:
        self.job, self.frames, self.on_run = job, Frames(secret), on_run
        self.runs: list[Run] = []
        self.files: dict[str, dict[str, bytes]] = {}
        self.ready = False
        self.done = False
        self.until = math.inf
        """Moment by which the step that runs has to be over; a program can stop its supervisor (SIGSTOP)."""

    @property
    def flooded(self) -> bool:
        """True when something in the box writes to our line without end."""
        return self.frames.noise > 64 * 1024**2

    def feed(self, data: bytes) -> None:
        for kind, payload in self.frames.feed(data):
            if kind == "ready":
                self.ready = True
            elif kind == "done":
                self.done = True
            elif kind == "begin":
                step = self.job.steps[len(self.runs)] if len(self.runs) < len(self.job.steps) else None
                self.until = time.monotonic() + step.seconds + STEP_MARGIN if step else math.inf
            elif kind == "file":
                head, _, body = payload.partition(b"\n")
                name = json.loads(head)
                self.files.setdefault(name["step"], {})[str(name["name"])] = body
            elif kind == "result":
                data_ = json.loads(payload)
                run = Run.from_wire(data_, self.files.pop(data_["name"], {}))
                self.runs.append(run)
                self.until = math.inf
                if self.on_run:
                    self.on_run(run)

    def finish(self, reason: str, limit: str | None = None) -> list[Run]:
        """All runs; steps without a result get `reason` (and the limit that explains it) as their error."""
        for step in self.job.steps[len(self.runs) :]:
            run = Run(step.name, None, 0.0, error=reason, limit=limit, oom=limit == "memory", timed_out=limit == "time")
            self.runs.append(run)
            if self.on_run:
                self.on_run(run)
        return self.runs


def converse(line: Line, opening: Iterator[bytes], reader: Reader, seconds: float) -> str:
    """Send everything in, read until the box is done. Returns what went wrong on the way: time, flood, words, or ""."""
    until = time.monotonic() + seconds + START_MARGIN
    try:
        for piece in opening:
            line.send(piece, until)
    except TimeoutError:
        return "time"
    except OSError:
        pass  # it died while being fed; what it said, if anything, can still be read
    try:
        while not reader.done:
            data = line.receive(min(until, reader.until))
            if not data:
                return ""
            reader.feed(data)
            if reader.flooded:
                return "flood"
    except TimeoutError:
        return "time"
    except OSError as error:
        return str(error)
    return ""
