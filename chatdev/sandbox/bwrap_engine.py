"""The second engine: bubblewrap, for Linux machines without Docker. Namespaces of its own for everything, no network.

The system's /usr is seen read-only, so what is installed on this machine (python3-pygame, Xvfb …) is what products
have; nothing of /home, /root, /var or /etc beyond what programs need to start is visible.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from chatdev.errors import UserError
from chatdev.sandbox import wire
from chatdev.sandbox.config import SandboxConfig
from chatdev.sandbox.docker_engine import ENV
from chatdev.sandbox.job import WORK, Job
from chatdev.sandbox.pipe_engine import Launch, PipeEngine

ETC = (
    "alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "nsswitch.conf",
    "X11", "java-11-openjdk", "java-17-openjdk", "java-21-openjdk", "python3", "matplotlibrc",
)  # fmt: skip
"""The only parts of /etc a product sees: nothing that names users, hosts or secrets."""


class BubblewrapEngine(PipeEngine):
    """Runs every job in new user, pid, network, mount, ipc, uts and cgroup namespaces."""

    name = "bubblewrap"

    def __init__(self, config: SandboxConfig, run_id: str) -> None:
        super().__init__(config, run_id)
        tool = shutil.which("bwrap")
        if tool is None:
            raise UserError("bubblewrap is not installed", fix="Run: apt-get install bubblewrap")
        self.tool = tool
        tried = _try(tool)
        if tried:
            raise UserError(
                f"bubblewrap cannot make its namespaces here ({tried})",
                fix="Allow them: sysctl -w kernel.unprivileged_userns_clone=1, or use Docker.",
            )
        self.version = _said([tool, "--version"])

    def describe(self) -> str:
        c = self.config
        return f"{self.version}: no network, {c.memory} memory, {c.pids} pids, {c.disk} disk, {c.seconds:g} s"

    def missing_limits(self) -> list[str]:
        return [
            "the number of processes is not limited (bubblewrap)",
            "memory is limited for each process, not for all together (bubblewrap)",
            "processor time is not limited (bubblewrap)",
        ]

    def launch(self, space: Path, job: Job) -> Launch:
        c = self.config
        command = [self.tool, *walls(), "--size", str(c.disk_bytes), "--tmpfs", "/box"]
        command += ["--size", str(min(c.disk_bytes, 64 * 1024**2)), "--tmpfs", "/tmp"]
        if job.deps:
            command += ["--ro-bind", job.deps, "/deps"]
        command += ["--remount-ro", "/", "--chdir", "/box", "/usr/bin/python3", "-I", "-c", wire.BOOTSTRAP]
        limits = {
            "RLIMIT_CORE": 0, "RLIMIT_FSIZE": c.disk_bytes, "RLIMIT_NOFILE": 1024, "RLIMIT_DATA": c.memory_bytes,
            "RLIMIT_NPROC": c.pids + 16,
        }  # fmt: skip
        env: dict[str, Any] = {"PATH": ENV["PATH"], "LANG": "C.UTF-8", "HOME": "/box"}
        return Launch(command, env, ENV, WORK, own_namespace=True, rlimits=limits)


def walls() -> list[str]:
    """The options that make the box, without its writable parts."""
    options = [
        "--unshare-all", "--die-with-parent", "--new-session", "--uid", "65534", "--gid", "65534", "--hostname", "box",
        "--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev", "--ro-bind", "/usr", "/usr",
    ]  # fmt: skip
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/") / name
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            options += ["--ro-bind", str(path), str(path)]
    for name in ETC:
        options += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return options


def _try(tool: str) -> str:
    """Start an empty box; returns the complaint, or ""."""
    try:
        done = subprocess.run(
            [tool, *walls(), "--tmpfs", "/box", "/usr/bin/python3", "-I", "-c", ""], capture_output=True, text=True,
            timeout=20, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = done.stderr.strip().splitlines()
    return "" if done.returncode == 0 else (lines[-1] if lines else f"exit {done.returncode}")


def _said(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
