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
from pathlib import Path, PurePosixPath

from chatdev.errors import UserError
from chatdev.sandbox import cgroup, deps, seccomp, wire
from chatdev.sandbox.config import SandboxConfig
from chatdev.sandbox.deps import Installed
from chatdev.sandbox.docker_engine import BROWSER_MEMORY, BROWSER_PIDS, ENV, WEB
from chatdev.sandbox.job import WORK, Job
from chatdev.sandbox.pipe_engine import Launch, PipeEngine
from chatdev.sandbox.requirements import Wanted

ETC = (
    "alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "nsswitch.conf",
    "X11", "chromium.d", "java-11-openjdk", "java-17-openjdk", "java-21-openjdk", "python3", "matplotlibrc",
)  # fmt: skip
"""The only parts of /etc a product sees: nothing that names users, hosts or secrets."""
SHARED = 64 * 1024**2
"""Bytes of /dev/shm, as Docker gives them."""


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
        self.hard = ["--disable-userns"]
        tried = self._try()
        if tried:  # an older bubblewrap, or one that is setuid
            self.hard, first = [], tried
            tried = self._try() and first
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
        missing = []
        if self.open_namespaces:
            missing.append("a program can make user namespaces of its own (bubblewrap)")
        if not self.filtered:
            missing.append("system calls are not filtered, as this processor is not known here (bubblewrap)")
        if not (self.grouped or self.scope):
            missing += [
                "memory is watched and not enforced, because no control group can be made here (bubblewrap)",
                "processor time is not limited, because no control group can be made here (bubblewrap)",
            ]
        elif not self.swap:
            missing.append("swap is not counted towards memory (bubblewrap)")
        return missing

    @contextlib.contextmanager
    def launch(self, space: Path, job: Job) -> Iterator[Launch]:
        room, threads = (BROWSER_MEMORY, BROWSER_PIDS) if job.kit == WEB else (0, 0)
        group = cgroup.make(self.config, room, threads) if self.grouped else None
        try:
            with self._filter() as handles:
                yield self._launch(job, group, self._sealed(job, space), handles, (room, threads))
        finally:
            if group is not None:
                group.remove()

    def _launch(
        self, job: Job, group: cgroup.Group | None, sealed: list[str], handles: tuple[int, ...], more: tuple[int, int]
    ) -> Launch:
        c = self.config
        inside = [*self._walls(handles), *(group.binds() if group else [])]
        inside += ["--size", str(c.disk_bytes), "--tmpfs", "/box"]
        inside += ["--size", str(min(c.disk_bytes, 64 * 1024**2)), "--tmpfs", "/tmp"]
        if job.deps:
            inside += ["--ro-bind", job.deps, "/deps"]
        inside += sealed
        inside += ["--remount-ro", "/", "--chdir", "/box", "/usr/bin/python3", "-I", "-c", wire.BOOTSTRAP]
        memory = c.memory_bytes + more[0]
        limits = {
            "RLIMIT_CORE": 0, "RLIMIT_FSIZE": c.disk_bytes, "RLIMIT_NOFILE": 1024,
            "RLIMIT_NPROC": c.pids + 16 + more[1],
        }  # fmt: skip
        together = bool(group or self.scope)
        if not together:
            limits["RLIMIT_DATA"] = memory
        env = {"PATH": ENV["PATH"], "LANG": "C.UTF-8", "HOME": "/box"}
        if self.scope:  # systemd-run finds the user's manager by these; bubblewrap clears them again
            env |= {n: os.environ[n] for n in ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS") if n in os.environ}
            inside = ["--clearenv", "--setenv", "PATH", ENV["PATH"], "--setenv", "HOME", "/box", *inside]
        return Launch(
            self._command(inside, group), env, ENV, WORK, own_namespace=True, rlimits=limits,
            handles=handles, watch_memory=0 if together else memory,
        )  # fmt: skip

    def lacks(self, kit: str) -> str:
        from chatdev.sandbox.image.kits import needs

        missing = [name for name in needs(kit) if shutil.which(name, path="/usr/bin:/bin") is None]
        return f"{', '.join(missing)} is not installed on this machine" if missing else ""

    def install(self, wanted: Wanted) -> Installed:
        from chatdev.sandbox import bwrap_install

        return bwrap_install.install(self, wanted)

    def installer(self, target: Path) -> list[str]:
        """The command of the installer's box: network, and `target` as its only writable place."""
        from chatdev.sandbox.bwrap_install import NETWORK_ETC

        inside = [*walls(), *self.hard, "--share-net", "--bind", str(target), "/deps", "--tmpfs", "/tmp"]
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

    @contextlib.contextmanager
    def _filter(self) -> Iterator[tuple[int, ...]]:
        """The open file that holds the system call filter; () where there is none for this processor."""
        # Without a group nothing would count the memory of files that have no name.
        text = seccomp.program(memory_files=bool(self.grouped or self.scope))
        if not text:
            yield ()
            return
        handle = os.memfd_create("filter")
        try:
            os.write(handle, text)
            os.lseek(handle, 0, os.SEEK_SET)
            yield (handle,)
        finally:
            os.close(handle)

    def _walls(self, handles: tuple[int, ...]) -> list[str]:
        return [*walls(), *self.hard, *(word for handle in handles for word in ("--seccomp", str(handle)))]

    def _sealed(self, job: Job, space: Path) -> list[str]:
        """Options that mount the sealed files read-only, and every folder around them as a mount of its own: what is
        mounted can be neither renamed nor removed, so nothing else can be put in its place.
        """
        files = job.sealed()
        if not files:
            return []
        store = space / secrets.token_hex(16)  # nobody else of this machine can list its folder, or guess its name
        options: list[str] = []
        folders = {str(parent) for name in files for parent in PurePosixPath(name).parents} - {"."}
        for folder in sorted(folders):
            (store / folder).mkdir(parents=True)
            options += ["--size", str(self.config.disk_bytes), "--tmpfs", f"/box/{folder}"]
        for name, data in files.items():
            (store / name).write_bytes(data)
            (store / name).chmod(0o444)
            options += ["--ro-bind", str(store / name), f"/box/{name}"]
        if self.root:  # the box runs as another user
            for path in (space, store, *(store / folder for folder in folders)):
                path.chmod(0o711)
        return options

    def _try(self) -> str:
        """Start a box that tells which of its walls are there; returns the complaint, or ""."""
        with self._filter() as handles:
            inside = [*self._walls(handles), "--tmpfs", "/box", "/usr/bin/python3", "-I", "-c", ASK]
            try:
                done = subprocess.run(
                    self._command(inside, None), capture_output=True, text=True, timeout=20, check=False, cwd="/",
                    pass_fds=handles,
                )  # fmt: skip
            except (OSError, subprocess.TimeoutExpired) as error:
                return str(error)
        lines = done.stderr.strip().splitlines()
        if done.returncode:
            return lines[-1] if lines else f"exit {done.returncode}"
        self.filtered, self.open_namespaces = "filtered" in done.stdout, "namespaces" in done.stdout
        return ""


ASK = """\
import ctypes
if "Seccomp:\\t2" in open("/proc/self/status").read(): print("filtered")
if ctypes.CDLL(None).unshare(0x10000000) == 0: print("namespaces")
"""
"""Run in a box: what of its walls really holds."""


def walls() -> list[str]:
    """The options that make the box, without its writable parts."""
    options = [
        "--unshare-user", "--unshare-all", "--die-with-parent", "--new-session", "--uid", "65534", "--gid", "65534",
        "--hostname", "box", "--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev", "--size", str(SHARED),
        "--tmpfs", "/dev/shm", "--remount-ro", "/dev", "--ro-bind", "/usr", "/usr",
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


def _said(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
