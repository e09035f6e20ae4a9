"""Control groups for a box that no container engine makes: memory, processes and processor time of everything in it.

Root writes the groups itself (version 1 or 2); an ordinary user with a systemd session has them made by
`systemd-run`. Where neither works `choose` gives None, and the engine says which limits are missing.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from chatdev.sandbox import owner
from chatdev.sandbox.config import SandboxConfig

ROOT = Path("/sys/fs/cgroup")
FOLDER = "chatdev"
ENTER = (
    "import os, sys\n"
    "for place in filter(None, sys.argv[1].split('|')):\n"
    "    with open(place, 'w') as file: file.write(str(os.getpid()))\n"
    "uid = int(sys.argv[2])\n"
    "if uid:\n"
    "    os.setgroups([]); os.setgid(uid); os.setuid(uid)\n"
    "os.execv(sys.argv[3], sys.argv[3:])\n"
)
"""Run by `python -I -c`: enter the groups, give up root, become the command."""


@dataclass(frozen=True)
class Group:
    """The folders of one box's control group: one of version 2, or one for each controller of version 1."""

    folders: tuple[Path, ...]
    unified: bool

    @property
    def entrances(self) -> str:
        return "|".join(str(f / "cgroup.procs") for f in self.folders)

    def binds(self) -> list[str]:
        """bubblewrap options that let the box read its own counters."""
        options: list[str] = []
        for folder in self.folders:
            inside = ROOT if self.unified else ROOT / folder.relative_to(ROOT).parts[0]
            options += ["--ro-bind", str(folder), str(inside)]
        return options

    def remove(self) -> None:
        """Kill what is left in the group and remove it."""
        for folder in self.folders:
            for _ in range(100):
                if _kill(folder):
                    with contextlib.suppress(OSError):
                        folder.rmdir()
                        break
                time.sleep(0.02)


def make(config: SandboxConfig, room: int = 0, threads: int = 0) -> Group | None:
    """A group with the limits of `config`, and `room` bytes and `threads` on top; None when this process may not make
    one.
    """
    name = f"{owner.mark().replace('/', '_')}_{secrets.token_hex(4)}"
    unified = (ROOT / "cgroup.controllers").exists()
    tops = [ROOT / FOLDER] if unified else [ROOT / c / FOLDER for c in ("memory", "pids", "cpu")]
    made: list[Path] = []
    try:
        for top in tops:
            top.mkdir(exist_ok=True)
            if unified:
                (top / "cgroup.subtree_control").write_text("+memory +pids +cpu", encoding="ascii")
            (top / name).mkdir()
            made.append(top / name)
        for file, value in _limits(config, unified, room, threads):
            target = next((f / file for f in made if (f / file).exists()), None)
            if target is None and file not in OPTIONAL:
                raise OSError(f"no {file}")
            if target is not None:
                target.write_text(value, encoding="ascii")
    except OSError:
        Group(tuple(made), unified).remove()
        return None
    return Group(tuple(made), unified)


OPTIONAL = {"memory.swap.max", "memory.memsw.limit_in_bytes"}
"""Files that a kernel may be built without."""


def _limits(config: SandboxConfig, unified: bool, room: int, threads: int) -> list[tuple[str, str]]:
    memory, pids = str(config.memory_bytes + room), str(config.pids + 16 + threads)
    share = str(int(config.cpus * 100_000))
    if unified:
        return [
            ("memory.max", memory), ("memory.swap.max", "0"), ("pids.max", pids), ("cpu.max", f"{share} 100000"),
        ]  # fmt: skip
    return [
        ("memory.limit_in_bytes", memory), ("memory.memsw.limit_in_bytes", memory), ("pids.max", pids),
        ("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", share),
    ]  # fmt: skip


def counts_swap(group: Group) -> bool:
    """True when swap counts towards the memory limit (version 1 may be built without that)."""
    names = ("memory.swap.max", "memory.memsw.limit_in_bytes")
    return any((folder / name).exists() for folder in group.folders for name in names)


def systemd_prefix(config: SandboxConfig) -> list[str]:
    """For an ordinary user: the words before a command that put it into a scope with limits; [] where that fails."""
    tool = shutil.which("systemd-run")
    if tool is None or not os.environ.get("XDG_RUNTIME_DIR"):
        return []
    prefix = [
        tool, "--user", "--scope", "--quiet", "--collect", "-p", f"MemoryMax={config.memory_bytes}",
        "-p", "MemorySwapMax=0", "-p", f"TasksMax={config.pids + 16}",
        "-p", f"CPUQuota={int(config.cpus * 100)}%", "--",
    ]  # fmt: skip
    try:
        done = subprocess.run([*prefix, "true"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return prefix if done.returncode == 0 else []


def sweep() -> list[str]:
    """Remove groups whose maker is dead."""
    removed = []
    for top in [ROOT / FOLDER, *(ROOT / c / FOLDER for c in ("memory", "pids", "cpu"))]:
        for folder in top.iterdir() if top.is_dir() else ():
            parts = folder.name.rsplit("_", 1)[0].split("_")
            if folder.is_dir() and len(parts) == 4 and owner.is_gone("/".join(parts)):
                Group((folder,), unified=False).remove()
                removed.append(folder.name)
    return removed


def _kill(folder: Path) -> bool:
    """Kill everything in a group; True when it is empty."""
    try:
        pids = [int(line) for line in (folder / "cgroup.procs").read_text(encoding="ascii").split()]
    except OSError:
        return True
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    return not pids
