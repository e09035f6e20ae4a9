"""Which build of PyTorch this machine gets.

Contract: a pure list of tries, best first. On Linux the default build drags in gigabytes of CUDA libraries,
so a machine without an NVIDIA GPU gets the CPU build: from the indexes and folders that pip is configured
with, else from PyTorch's own index, and only when neither has it the default build. macOS and Windows have
one build.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

CPU_INDEX = "https://download.pytorch.org/whl/cpu"

NO_ANSWER = ("missing", "network", "proxy", "certificate")


class Try(NamedTuple):
    """One way to get PyTorch."""

    label: str
    arguments: list[str]
    """For `pip install`."""
    megabytes: int
    """Disk that the whole environment takes with this build, roughly."""
    failures: tuple[str, ...] = ()
    """Causes of failure (`digest.Cause.kind`) after which the next try is made; others end the set-up."""


def version(constraints: Path) -> str:
    """The version that the lock file pins."""
    found = re.search(r"^torch==([\w.]+)", constraints.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise ValueError(f"{constraints} does not pin torch")
    return found.group(1)


def tries(wanted: str, platform: str, gpu: bool) -> list[Try]:
    """The ways to get PyTorch `wanted` on `platform` (a `sys.platform`), best first."""
    default = Try("default build", ["-c", "constraints.txt", f"torch=={wanted}"], 1500)
    if not platform.startswith("linux"):
        return [default]
    cuda = default._replace(label="default build with CUDA, several GB", megabytes=9000)
    if gpu:
        return [cuda]
    # Without dependencies: PyTorch's index must not decide where the other libraries come from. Without the lock:
    # where there is no "+cpu", pip would speak of conflicting requirements instead of a missing build.
    cpu = [f"torch=={wanted}+cpu", "--no-deps"]
    return [
        Try("CPU build", cpu, 1500, ("missing",)),
        Try(
            "CPU build from PyTorch's index",
            ["--index-url", CPU_INDEX, "--retries", "1", *cpu],
            1500,
            NO_ANSWER,
        ),
        cuda,
    ]


def has_gpu() -> bool:
    """True when an NVIDIA driver answers and names a GPU."""
    try:
        answer = subprocess.run(["nvidia-smi", "-L"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and b"GPU" in answer.stdout
