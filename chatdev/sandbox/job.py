"""What an engine is asked to do (`Job` of `Step`s) and what comes back (`Run` of each, with bounded `Output`).

A job is one throw-away box: the bundle of files is unpacked in it and its steps run one after the other. Results
come back step by step while the box still runs.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chatdev.sandbox.bundle import Bundle, contents

WORK = "/box/app"
"""Where the product's files lie inside a box (the host engine uses a temporary folder)."""


@dataclass(frozen=True)
class Output:
    """One output stream: its head and tail within a cap, and how long it really was."""

    head: bytes = b""
    tail: bytes = b""
    """Empty while everything fits into `head`."""
    total: int = 0

    @property
    def dropped(self) -> int:
        """Bytes between head and tail that were not kept."""
        return max(0, self.total - len(self.head) - len(self.tail))

    @property
    def text(self) -> str:
        """Decoded with replacement; a line of its own says how much is missing in the middle."""
        head = self.head.decode("utf-8", errors="replace")
        if not self.tail:
            return head
        gap = f"\n[... {self.dropped:,} bytes left out ...]\n" if self.dropped else ""
        return head + gap + self.tail.decode("utf-8", errors="replace")

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> Output:
        return cls(base64.b64decode(data["head"]), base64.b64decode(data["tail"]), int(data["total"]))


@dataclass(frozen=True)
class Watch:
    """How to judge a program that may never end by itself (the start rung)."""

    start_seconds: float = 6
    quiet_seconds: float = 20
    gui: bool = False
    """Give it a display, photograph its window, press keys and click."""
    talk: tuple[str, ...] = ()
    """Lines typed to a program that waits for input, one after the other."""
    browser: str = ""
    """Open this path of its first port in a headless browser and photograph it; "" opens nothing."""


@dataclass(frozen=True)
class Step:
    """One command in a box."""

    name: str
    command: list[str]
    stdin: bytes | None = None
    """What it reads; None is an empty input, or an open one that stays silent when `watch` is given."""
    env: dict[str, str] = field(default_factory=dict)
    seconds: float = 60
    watch: Watch | None = None
    fresh: bool = True
    """Start from the unpacked bundle again, without what earlier steps wrote."""
    pty: bool = False
    collect: tuple[str, ...] = ()
    """Glob patterns, relative to the work directory, of files to bring back."""
    cwd: str = "."
    sealed: tuple[str, ...] = ()
    """Files, from the box's folder (`app/tests/test_a.py`), that nothing in the box can write; compared with what was
    sent in after the step.
    """


@dataclass(frozen=True)
class Job:
    """One box: files and steps."""

    bundle: Bundle
    steps: tuple[Step, ...]
    extra: dict[str, Bundle] = field(default_factory=dict)
    """More bundles, unpacked beside the product: folder name -> files."""
    deps: str | None = None
    """Name of a volume with installed dependencies, seen read-only."""
    display: bool = False
    """Give every step an X display."""
    kit: str | None = None
    """The image kit the box is made of; None is the plain image."""
    serve: bool = False
    """Run the first step for a person, with its terminal and its ports relayed."""

    def sealed(self) -> dict[str, bytes]:
        """The files that the product may read and not write, by their path from the box's folder."""
        wanted = {name for step in self.steps for name in step.sealed}
        folders = {WORK.rpartition("/")[2]: self.bundle, **self.extra} if wanted else {}
        files = {f"{folder}/{name}": data for folder, b in folders.items() for name, data in contents(b).items()}
        return {name: files[name] for name in sorted(wanted & set(files))}


@dataclass(frozen=True)
class Run:
    """What became of one step."""

    name: str
    exit_code: int | None
    """None when it did not end by itself (or could not be started); negative is the signal that ended it."""
    seconds: float
    stdout: Output = Output()
    stderr: Output = Output()
    timed_out: bool = False
    oom: bool = False
    limit: str | None = None
    """The limit that ended it or that it ran into: time, memory, pids, disk, output."""
    collected: dict[str, bytes] = field(default_factory=dict)
    alive: bool = False
    """It was still running, with a sign of life, when it was ended on purpose."""
    signs: tuple[str, ...] = ()
    """Signs of life seen, in plain words, such as `a window "Snake" of 400x400`."""
    notes: tuple[str, ...] = ()
    """Anything more worth telling, such as processes that had to be killed."""
    error: str = ""
    """Why there is no result: the command could not be started, or the box itself died."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the watcher measured: ports, windows, processor seconds, ended_on_sigterm."""

    @property
    def ok(self) -> bool:
        return not self.error and (self.alive or self.exit_code == 0)

    @classmethod
    def from_wire(cls, data: Mapping[str, Any], collected: dict[str, bytes]) -> Run:
        return cls(
            name=str(data["name"]),
            exit_code=data["exit_code"],
            seconds=float(data["seconds"]),
            stdout=Output.from_wire(data["stdout"]),
            stderr=Output.from_wire(data["stderr"]),
            timed_out=bool(data["timed_out"]),
            oom=data["limit"] == "memory",
            limit=data["limit"],
            collected=collected,
            alive=bool(data["alive"]),
            signs=tuple(data["signs"]),
            notes=tuple(data["notes"]),
            error=str(data["error"]),
            facts=dict(data["facts"]),
        )
