"""Signs of life besides windows and output: what answers on a port, sockets without TCP, files that were written."""

from __future__ import annotations

import http.client
import os
from pathlib import Path

from chatdev.sandbox.guest.procs import PROC, handles_of

LISTENS = "listens"
SILENT = "listens and does not answer"
DEAF = "listens and accepts no connection"
MAX_SEEN = 20_000
NO_WORK = {"__pycache__", ".cache", ".pytest_cache", ".X11-unix", "matplotlib", "fontconfig"}
"""Folders in which libraries keep what they like; not what a program is for."""


def ask(port: int, seconds: float) -> str:
    """What a listening port answers to an HTTP request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET", "/")
        return f"answers HTTP {connection.getresponse().status}"
    except TimeoutError:
        return DEAF if _in_the_queue(port, connection) else SILENT
    except (OSError, http.client.HTTPException):
        return "listens, speaks no HTTP"
    finally:
        connection.close()


def sockets_of(pids: list[int]) -> list[str]:
    """Where the given processes wait for others without TCP: UDP ports of their own choice, sockets in the file
    system.
    """
    found = {**_udp(), **_unix()}
    return sorted({found[inode] for inode in handles_of(pids) if inode in found}) if found else []


def written(folders: list[Path]) -> dict[str, tuple[int, int]]:
    """Size and time of what lies below the folders, up to `MAX_SEEN` files and folders; to be compared with a later
    look.
    """
    found: dict[str, tuple[int, int]] = {}
    todo, seen = list(map(str, folders)), 0
    while todo and seen < MAX_SEEN:
        try:
            with os.scandir(todo.pop()) as entries:
                for entry in entries:
                    seen += 1
                    if entry.name in NO_WORK:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                        found[entry.path] = (0, 0)
                    elif not entry.name.endswith(".pyc") and not entry.name.startswith((".X", ".tX")):
                        info = entry.stat(follow_symlinks=False)
                        found[entry.path] = (info.st_size, info.st_mtime_ns)
                    if seen >= MAX_SEEN:
                        break
        except OSError:
            continue
    return found


def changed(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]], work: str) -> list[str]:
    """The first files that are new, gone or different, relative to `work` where they lie in it."""
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return [name.removeprefix(f"{work}/") for name in names[:20]]


def _in_the_queue(port: int, connection: http.client.HTTPConnection) -> bool:
    """True when the kernel made our connection and the program never took it: its end has no inode yet."""
    mine = connection.sock.getsockname()[1] if connection.sock else 0
    for fields in _rows("net/tcp"):
        here, there = (int(fields[n].rpartition(":")[2], 16) for n in (1, 2))
        if (here, there) == (port, mine):
            return fields[9] == "0"
    return False


def _udp() -> dict[int, str]:
    low = _first_ephemeral()
    found: dict[int, str] = {}
    for name in ("net/udp", "net/udp6"):
        for fields in _rows(name):
            port = int(fields[1].rpartition(":")[2], 16)
            if fields[3] == "07" and 0 < port < low:  # not connected, and no port that the kernel chose
                found[int(fields[9])] = f"UDP port {port} is open"
    return found


def _unix() -> dict[int, str]:
    found: dict[int, str] = {}
    for line in _lines("net/unix"):
        fields = line.split(maxsplit=7)
        # The flag says that it listens; multiprocessing has such sockets for itself.
        if len(fields) > 7 and int(fields[3], 16) & 0x10000 and "/pymp-" not in fields[7]:
            found[int(fields[6])] = f"the socket {fields[7].strip()} listens"
    return found


def _first_ephemeral() -> int:
    try:
        return int((PROC / "sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 32768


def _rows(name: str) -> list[list[str]]:
    return [fields for line in _lines(name) if len(fields := line.split()) > 9]


def _lines(name: str) -> list[str]:
    try:
        return (PROC / "self" / name).read_text(encoding="utf-8", errors="replace").splitlines()[1:]
    except OSError:
        return []
