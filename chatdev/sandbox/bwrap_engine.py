"""The second engine: bubblewrap, for Linux machines without Docker. Namespaces of its own for everything, no network.

The system's /usr is seen read-only, so what is installed on this machine (python3-pygame, Xvfb …) is what products
have; nothing of /home, /root, /var or /etc beyond what programs need to start is visible.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from chatdev.errors import UserError
from chatdev.sandbox import cgroup, deps, wire
from chatdev.sandbox.config import SandboxConfig
from chatdev.sandbox.deps import Installed
from chatdev.sandbox.docker_engine import ENV
from chatdev.sandbox.job import WORK, Job
from chatdev.sandbox.pipe_engine import Launch, PipeEngine
from chatdev.sandbox.requirements import Wanted

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
        self.root = hasattr(os, "geteuid") and os.geteuid() == 0
        self.scope = [] if self.root else cgroup.systemd_prefix(config)
        group = cgroup.make(config) if self.root else None
        self.grouped, self.swap = group is not None, group is None or cgroup.counts_swap(group)
        if group:
            group.remove()
        tried = self._try()
        if tried:
            raise UserError(
                f"bubblewrap cannot make its namespaces here ({tried})",
                fix="Allow them (sysctl -w kernel.unprivileged_userns_clone=1), or use Docker.",
            )
        self.version = _said([tool, "--version"])

    def describe(self) -> str:
        c = self.config
        cpus = f"{c.cpus:g} cpu, " if self.grouped or self.scope else ""
        return f"{self.version}: no network, {c.memory} memory, {cpus}{c.pids} pids, {c.disk} disk, {c.seconds:g} s"

    def missing_limits(self) -> list[str]:
        if self.grouped or self.scope:
            return [] if self.swap else ["swap is not counted towards memory (bubblewrap)"]
        return [
            "memory is watched and not enforced, because no control group can be made here (bubblewrap)",
            "processor time is not limited, because no control group can be made here (bubblewrap)",
        ]

    @contextlib.contextmanager
    def launch(self, space: Path, job: Job) -> Iterator[Launch]:
        group = cgroup.make(self.config) if self.grouped else None
        handles: list[int] = []
        try:
            yield self._launch(job, group, _sealed(job, handles), tuple(handles))
        finally:
            for handle in handles:
                os.close(handle)
            if group is not None:
                group.remove()

    def _launch(self, job: Job, group: cgroup.Group | None, sealed: list[str], handles: tuple[int, ...]) -> Launch:
        c = self.config
        inside = [*walls(), *(group.binds() if group else []), "--size", str(c.disk_bytes), "--tmpfs", "/box"]
        inside += ["--size", str(min(c.disk_bytes, 64 * 1024**2)), "--tmpfs", "/tmp"]
        if job.deps:
            inside += ["--ro-bind", job.deps, "/deps"]
        inside += sealed
        inside += ["--remount-ro", "/", "--chdir", "/box", "/usr/bin/python3", "-I", "-c", wire.BOOTSTRAP]
        limits = {
            "RLIMIT_CORE": 0, "RLIMIT_FSIZE": c.disk_bytes, "RLIMIT_NOFILE": 1024, "RLIMIT_NPROC": c.pids + 16,
        }  # fmt: skip
        together = bool(group or self.scope)
        if not together:
            limits["RLIMIT_DATA"] = c.memory_bytes
        env = {"PATH": ENV["PATH"], "LANG": "C.UTF-8", "HOME": "/box"}
        if self.scope:  # systemd-run finds the user's manager by these; bubblewrap clears them again
            env |= {n: os.environ[n] for n in ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS") if n in os.environ}
            inside = ["--clearenv", "--setenv", "PATH", ENV["PATH"], "--setenv", "HOME", "/box", *inside]
        return Launch(
            self._command(inside, group), env, ENV, WORK, own_namespace=True, rlimits=limits,
            handles=handles, watch_memory=0 if together else c.memory_bytes,
        )  # fmt: skip

    def lacks(self, kit: str) -> str:
        from chatdev.sandbox.image.kits import WEB, needs

        if kit == WEB:
            return "the bubblewrap engine photographs no pages"
        missing = [name for name in needs(kit) if shutil.which(name, path="/usr/bin:/bin") is None]
        return f"{', '.join(missing)} is not installed on this machine" if missing else ""

    def install(self, wanted: Wanted) -> Installed:
        from chatdev.sandbox import bwrap_install

        return bwrap_install.install(self, wanted)

    def installer(self, target: Path) -> list[str]:
        """The command of the installer's box: network, and `target` as its only writable place."""
        from chatdev.sandbox.bwrap_install import NETWORK_ETC

        inside = [*walls(), "--share-net", "--bind", str(target), "/deps", "--tmpfs", "/tmp"]
        for name in NETWORK_ETC:
            inside += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
        inside += ["--clearenv", "--setenv", "PATH", ENV["PATH"], "--remount-ro", "/", "--chdir", "/"]
        return self._command([*inside, "/usr/bin/python3", "-I", "-c", deps.INSTALL], None)

    def sweep(self) -> list[str]:
        return [*cgroup.sweep(), *super().sweep()]

    def _command(self, inside: list[str], group: cgroup.Group | None) -> list[str]:
        """bubblewrap with its options, started in the group and, by root, as a user that nobody else is.

        Root itself is exempt from the limit on processes, and could read what only root may read below /usr.
        """
        if not self.root:
            return [*self.scope, self.tool, *inside]
        uid = str(2_000_000 + secrets.randbelow(50_000_000))
        return [sys.executable, "-I", "-c", cgroup.ENTER, group.entrances if group else "", uid, self.tool, *inside]

    def _try(self) -> str:
        """Start an empty box; returns the complaint, or ""."""
        command = self._command([*walls(), "--tmpfs", "/box", "/usr/bin/python3", "-I", "-c", ""], None)
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, cwd="/")
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        lines = done.stderr.strip().splitlines()
        return "" if done.returncode == 0 else (lines[-1] if lines else f"exit {done.returncode}")


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


def _sealed(job: Job, handles: list[int]) -> list[str]:
    """Options that mount the sealed files read-only, each from memory; its open files are added to `handles`."""
    options: list[str] = []
    for name, data in job.sealed().items():
        handle = os.memfd_create("sealed")
        handles.append(handle)
        with os.fdopen(os.dup(handle), "wb") as file:
            file.write(data)
        os.lseek(handle, 0, os.SEEK_SET)
        options += ["--ro-bind-data", str(handle), f"/box/{name}"]
    return options


def _said(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
