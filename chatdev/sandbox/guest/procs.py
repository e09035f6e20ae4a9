"""What runs in this box: processes, ports, limits that were hit; and ending all of it.

Linux facts come from /proc. Where there is none (the host engine on macOS or Windows) the functions say less, never
wrong.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

PROC = Path("/proc")
SIGKILL = getattr(signal, "SIGKILL", signal.SIGTERM)


def harden(*, adopt_orphans: bool, call_filter: bytes = b"") -> None:
    """Make this process untraceable for others of the same user (Linux), the parent of orphans when asked, and put it
    and all that it starts behind a system call filter (a classic BPF program).
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
    if adopt_orphans:
        libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    if call_filter:
        lines = ctypes.create_string_buffer(call_filter, len(call_filter))
        holder = struct.pack("HxxxxxxP", len(call_filter) // 8, ctypes.addressof(lines))
        libc.prctl(22, 2, ctypes.create_string_buffer(holder, len(holder)), 0, 0)  # PR_SET_SECCOMP


def table() -> dict[int, tuple[int, str]]:
    """Every process that is not a zombie: pid -> (parent's pid, state letter)."""
    found: dict[int, tuple[int, str]] = {}
    if not PROC.is_dir():
        return found
    for entry in _list(PROC):
        if entry.isdigit():
            stat = _read(PROC / entry / "stat")
            fields = stat.rpartition(")")[2].split()
            if len(fields) > 2 and fields[0] not in "ZX":
                found[int(entry)] = (int(fields[1]), fields[0])
    return found


class Ground:
    """The processes this box may hold besides the product: this one, the init above it, the display."""

    def __init__(self, *, own_namespace: bool) -> None:
        # In a pid namespace of our own, everything else is the product's. The pid is checked because killing
        # "everything else" on a person's machine would be the worst thing this code could do.
        self.alone = own_namespace and os.getpid() < 16
        self.ours: set[int] = {os.getpid(), os.getppid(), 1}

    def strangers(self) -> list[int]:
        """Living processes of the product."""
        now = table()
        if self.alone:
            return [pid for pid in now if pid not in self.ours]
        family, grew = {os.getpid()}, True
        while grew:
            more = {pid for pid, (parent, _) in now.items() if parent in family} - family
            family |= more
            grew = bool(more)
        return [pid for pid in family if pid not in self.ours]

    def end_all(self, process: subprocess.Popen[bytes], grace: float) -> tuple[bool, int]:
        """Ask with SIGTERM, wait `grace` seconds, then kill. Returns (all went when asked, how many ran besides
        `process`).
        """
        if not PROC.is_dir():
            return _end_group(process, grace)
        found = self.strangers()
        besides = len([pid for pid in found if pid != process.pid])
        for pid in found:
            _signal(pid, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while (left := self.strangers()) and time.monotonic() < deadline:
            self.reap(process.pid)
            process.poll()
            time.sleep(0.02)
        stubborn = len(left)
        for _ in range(200):
            for pid in left:
                _signal(pid, SIGKILL)
            process.poll()
            self.reap(process.pid)
            left = self.strangers()
            if not left:
                return stubborn == 0, besides
            time.sleep(0.01)
        if self.alone:  # something forks faster than we kill one by one
            _signal(-1, SIGKILL)
        return False, besides

    def reap(self, known: int | None) -> None:
        """Collect dead orphans that became our children; the known child is left to its Popen object."""
        if not PROC.is_dir():
            return
        for entry in _list(PROC):
            if not entry.isdigit() or int(entry) == known or int(entry) in self.ours:
                continue
            fields = _read(PROC / entry / "stat").rpartition(")")[2].split()
            if len(fields) > 2 and fields[0] == "Z" and int(fields[1]) == os.getpid():
                try:
                    os.waitpid(int(entry), os.WNOHANG)
                except ChildProcessError:
                    continue


def listening() -> dict[int, str]:
    """Inodes of TCP sockets that listen, with their port: inode -> port."""
    found: dict[int, str] = {}
    for name in ("net/tcp", "net/tcp6"):
        for line in _read(PROC / "self" / name).splitlines()[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[3] == "0A":
                found[int(fields[9])] = str(int(fields[1].rpartition(":")[2], 16))
    return found


def ports_of(pids: list[int]) -> set[int]:
    """TCP ports the given processes listen on."""
    sockets = listening()
    return {int(sockets[inode]) for inode in handles_of(pids) if inode in sockets} if sockets else set()


def handles_of(pids: list[int]) -> set[int]:
    """Inodes of the sockets that the given processes hold."""
    found: set[int] = set()
    for pid in pids:
        for handle in _list(PROC / str(pid) / "fd"):
            try:
                target = str((PROC / str(pid) / "fd" / handle).readlink())
            except OSError:
                continue
            if target.startswith("socket:["):
                found.add(int(target[8:-1]))
    return found


def reads_from(pids: list[int], inode: str) -> bool:
    """True when one of the processes is blocked in read() on the pipe or terminal called `inode` (`pipe:[123]`,
    `/dev/pts/0`).
    """
    for pid in pids:
        for task in _list(PROC / str(pid) / "task"):
            call = _read(PROC / str(pid) / "task" / task / "syscall").split()
            if len(call) > 1 and call[0] == "0":  # read(2) on x86-64; other machines rely on the typed line
                try:
                    if str((PROC / str(pid) / "fd" / str(int(call[1], 16))).readlink()) == inode:
                        return True
                except (OSError, ValueError):
                    continue
    return False


def cpu_seconds(pids: list[int]) -> float:
    """Processor time used so far by the given processes."""
    ticks = 0
    for pid in pids:
        fields = _read(PROC / str(pid) / "stat").rpartition(")")[2].split()
        if len(fields) > 13:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK") if ticks else 0.0


def held_bytes(pids: list[int], *, files: bool) -> int:
    """Memory held by the given processes, and by the `files` of a box that has file systems of its own in memory.

    Shared memory that is a file at the same time counts once: whichever of the two sums is larger.
    """
    own = shared = 0
    for pid in pids:
        # The kernel's own sums; pages that several processes share are split among them.
        rows = _read(PROC / str(pid) / "smaps_rollup") or _read(PROC / str(pid) / "status")
        own += _kilobytes(rows, "Pss_Anon:", "RssAnon:")
        shared += _kilobytes(rows, "Pss_Shmem:", "RssShmem:")
    return own + max(shared, _files_in_memory() if files else 0)


def _kilobytes(rows: str, *names: str) -> int:
    for row in rows.splitlines():
        if row.startswith(names):
            return int(row.split()[1]) * 1024
    return 0


def _files_in_memory() -> int:
    """Bytes of all files in the tmpfs mounts of this box."""
    total, known = 0, set()
    for row in _read(PROC / "self" / "mounts").splitlines():
        fields = row.split()
        if len(fields) > 2 and fields[2] == "tmpfs":
            try:
                room, device = os.statvfs(fields[1]), Path(fields[1]).stat().st_dev
            except OSError:
                continue
            if device not in known:
                known.add(device)
                total += (room.f_blocks - room.f_bfree) * room.f_frsize
    return total


class Limits:
    """Counts what the control group had to refuse, before and after a step (cgroup v1 and v2)."""

    def __init__(self, places: tuple[str, ...], disk: int) -> None:
        self.places, self.disk = places, disk
        self.before = self._counts()

    def hit(self) -> str | None:
        """The limit that was run into since this object was made: memory, pids, disk, or None."""
        now = self._counts()
        for name in ("memory", "pids"):
            if now[name] > self.before[name]:
                return name
        return "disk" if self.full() else None

    def full(self) -> bool:
        if not self.disk or not hasattr(os, "statvfs"):
            return False
        for place in self.places:
            try:
                room = os.statvfs(place)
            except OSError:
                continue  # a program may delete anything, its own folders too
            if room.f_bavail * room.f_frsize < self.disk / 200:
                return True
        return False

    @staticmethod
    def _counts() -> dict[str, int]:
        base = Path("/sys/fs/cgroup")
        return {
            "memory": _count(base / "memory.events", "oom_kill")
            or _count(base / "memory/memory.oom_control", "oom_kill"),
            "pids": _count(base / "pids.events", "max") or _count(base / "pids/pids.events", "max"),
        }


def _count(path: Path, key: str) -> int:
    for line in _read(path).splitlines():
        name, _, value = line.partition(" ")
        if name == key and value.strip().isdigit():
            return int(value)
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _list(path: Path) -> list[str]:
    try:
        return [entry.name for entry in path.iterdir()]
    except OSError:
        return []


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        return


def _end_group(process: subprocess.Popen[bytes], grace: float) -> tuple[bool, int]:
    """Without /proc: the program's process group (macOS) or its process tree (Windows)."""
    if process.poll() is None and hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGTERM)
    elif process.poll() is None:
        process.terminate()
    try:
        process.wait(timeout=grace)
        went = True
    except subprocess.TimeoutExpired:
        went = False
    if hasattr(os, "killpg"):
        try:
            os.killpg(process.pid, SIGKILL)
        except OSError:
            return went, 0
    elif not went:
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], check=False, capture_output=True)
    return went, 0
