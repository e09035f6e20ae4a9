"""One writer per product: a lock file that names the process which holds it.

The operating system's own file lock decides (it dies with its owner, so a killed run never blocks the next); the pid
in the file is only for the message.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO

from chatdev.errors import UserError


class ProductLock:
    """Context manager; raises UserError when another living process writes to the product."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        self._file: IO[str] | None = None

    def __enter__(self) -> ProductLock:
        file = _opened(self.path)
        try:
            _lock_patiently(file)
        except OSError as error:
            file.seek(0)
            pid = file.read().strip() or "unknown"
            file.close()
            raise UserError(
                f"another process (pid {pid}) is working on this product",
                where=str(self.path.parent.parent),
                fix="Wait for it to end, or stop it with Ctrl-C in its terminal",
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()
            self._file = None


def holder(folder: Path) -> int | None:
    """The pid of the living process that holds the lock of `folder`; None when nobody does.

    Somebody who takes the lock at this very moment may find it held for an instant, and tries again.
    """
    path = folder / "lock"
    try:
        file = os.fdopen(os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)), "r+", encoding="utf-8")
    except OSError:
        return None
    with file:
        try:
            _lock(file, shared=True)
        except OSError:
            file.seek(0)
            pid = file.read(20).strip()
            return int(pid) if pid.isascii() and pid.isdigit() else 0
    return None


def _opened(path: Path) -> IO[str]:
    """The lock file, never through a symbolic link (its target would be overwritten)."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        return os.fdopen(os.open(path, flags, 0o644), "a+", encoding="utf-8")
    except OSError as error:
        raise UserError(f"the product cannot be locked ({error.strerror})", where=str(path)) from error


def _lock_patiently(file: IO[str]) -> None:
    for _ in range(4):
        try:
            _lock(file)
        except OSError:
            time.sleep(0.05)  # it may only be somebody who looks (see `holder`)
        else:
            return
    _lock(file)


def _lock(file: IO[str], shared: bool = False) -> None:
    if sys.platform == "win32":
        import msvcrt

        # The byte far behind the pid: a locked byte cannot be read by others on Windows.
        file.seek(1 << 20)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file.fileno(), (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
