"""Who made a box: enough to tell, later and from another process, whether that process still lives.

A mark is `boot/namespace/pid/start`: the machine's boot, the pid namespace, the process and the moment it was
started, so a pid that was given out again does not count as alive.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path


def mark() -> str:
    """The mark of this process."""
    return "/".join((*_place(), str(os.getpid()), _started(os.getpid())))


def is_gone(text: str) -> bool:
    """True only when the marked process is surely dead: same boot, same namespace, and no such process."""
    parts = text.split("/")
    if len(parts) != 4 or tuple(parts[:2]) != _place() or not parts[2].isdigit():
        return False
    pid = int(parts[2])
    if Path("/proc/self/stat").exists():
        return _started(pid) != parts[3]
    if not hasattr(os, "kill") or os.name == "nt":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _place() -> tuple[str, str]:
    boot = Path("/proc/sys/kernel/random/boot_id")
    try:
        return boot.read_text(encoding="ascii").strip(), str((Path("/proc/self/ns/pid")).readlink())
    except OSError:
        return platform.node().replace("/", "-") or "host", "-"


def _started(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "-"
    fields = text.rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] not in "ZX" else "-"
