"""One set-up at a time: a lock on a file, held by the operating system.

Contract: `held` waits until nobody else holds the file, and the lock falls with the process that holds it, so
there is no stale lock to clean up after a crash. On POSIX the lock is bound to the open file, and children
that are given the descriptor keep it: a pip that outlives a killed parent still keeps the next start out.
Non-goal: file systems without locks (some network shares); there the set-up goes on unlocked.
"""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

POLL_SECONDS = 0.2
BUSY = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


@contextmanager
def held(path: Path, waiting: Callable[[], None]) -> Iterator[int]:
    """Hold the lock file at `path`; yields its descriptor.

    Args:
        path: made if missing, never deleted (deleting it would let two holders in).
        waiting: called again and again while somebody else holds it.
    """
    with path.open("a+", encoding="utf-8") as file:
        while not _try(file):
            waiting()
            time.sleep(POLL_SECONDS)
        yield file.fileno()


def _try(file: IO[str]) -> bool:
    """True when the lock is ours or the file system knows no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in BUSY
    return True
