"""The sandbox settings of a company: which engine, which limits. Everything a person can write is checked here.

Non-goal: asking an engine what it can really enforce; that is `Engine.missing_limits`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from chatdev.errors import UserError

ENGINES = ("auto", "docker", "bubblewrap", "host", "none")
NETWORKS = ("none",)
_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*$", re.IGNORECASE)
_FACTOR = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


def parse_size(value: int | str, name: str = "size") -> int:
    """Turn `"512m"`, `"1.5g"`, `"64 MiB"` or a number of bytes into bytes (factors of 1024).

    Raises:
        UserError: the text is no size, or not above 0.
    """
    match = None if isinstance(value, bool) else _SIZE.match(str(value))
    size = int(float(match[1]) * _FACTOR[match[2].lower()]) if match else 0
    if size <= 0:
        raise UserError(f"sandbox.{name}: {value!r} is not a size", fix='Write it like "512m" or "1g".')
    return size


@dataclass(frozen=True)
class SandboxConfig:
    """What a product may use while it runs. `SandboxConfig.parse` reads and checks it from a mapping."""

    engine: str = "auto"
    """docker, bubblewrap, host (by name only), none, or auto: docker, else bubblewrap, else nothing."""
    image: str | None = None
    """Image for docker; None is the one `chatdev sandbox build` makes. It needs a python3 of 3.10 or later."""
    memory: str = "512m"
    """Memory of everything a product starts, swap included."""
    cpus: float = 1.0
    """Processor cores, fractions allowed."""
    pids: int = 128
    """Most processes and threads at one time."""
    network: str = "none"
    """Always none: a product has a loopback interface and nothing else. (Installing dependencies is a box of its
    own.)
    """
    seconds: float = 60
    """Longest run of one program or of one test run."""
    start_seconds: float = 6
    """A program that is still alive after this and shows a sign of life (window, port, prompt, output) has started."""
    quiet_seconds: float = 20
    """A program that shows no sign of life at all is ended after this and has failed."""
    install: bool = True
    """Fetch the wheels that requirements.txt names, in a box of its own with network; False leaves them out."""
    runtime: str | None = None
    """OCI runtime for docker, such as runsc (gVisor); None is the engine's default."""
    disk: str = "256m"
    """Size of the work directory (a tmpfs, so it counts towards memory too)."""
    output_bytes: int = 200_000
    """How much of each output stream is kept, half from its head and half from its tail."""

    def __post_init__(self) -> None:
        _one_of("engine", self.engine, ENGINES)
        _one_of("network", self.network, NETWORKS)
        for name, least, most in (
            ("cpus", 0.05, 1024), ("pids", 16, 100_000), ("seconds", 1, 86_400), ("start_seconds", 0.5, 3_600),
            ("quiet_seconds", 0.5, 86_400), ("output_bytes", 2_000, 100_000_000),
        ):  # fmt: skip
            _between(name, getattr(self, name), least, most)
        if self.memory_bytes < 64 * 1024**2:
            raise UserError(f"sandbox.memory: {self.memory!r} is too small", fix="Give at least 64m.")
        if self.disk_bytes < 4 * 1024**2:
            raise UserError(f"sandbox.disk: {self.disk!r} is too small", fix="Give at least 4m.")

    @property
    def memory_bytes(self) -> int:
        return parse_size(self.memory, "memory")

    @property
    def disk_bytes(self) -> int:
        return parse_size(self.disk, "disk")

    @classmethod
    def parse(cls, settings: Mapping[str, Any]) -> SandboxConfig:
        """Read a mapping (a company's `sandbox:` section).

        Raises:
            UserError: an unknown name, or a value out of range.
        """
        known = [f.name for f in fields(cls)]
        for name in settings:
            if name not in known:
                raise UserError(f"sandbox.{name}: unknown setting", fix=f"Known are {', '.join(known)}.")
        values: dict[str, Any] = {
            k: (str(v) if k in ("memory", "disk") else v) for k, v in settings.items() if v is not None
        }
        return cls(**values)

    def with_(self, **changes: Any) -> SandboxConfig:
        """A copy with some settings changed."""
        return replace(self, **changes)


def _one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UserError(f"sandbox.{name}: {value!r} is not known", fix=f"Choose one of {', '.join(choices)}.")


def _between(name: str, value: object, least: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise UserError(f"sandbox.{name}: {value!r} is out of range", fix=f"Give a number from {least} to {most}.")
