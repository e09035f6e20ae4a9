"""How many boxes of this process run at one time: no more than the machine has cores for, so that ten products that are
verified at once do not slow one another into a time-out. The others wait, and waiting does not count as their time.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

_slots = threading.BoundedSemaphore(max(2, os.cpu_count() or 2))
_mine = threading.local()


@contextlib.contextmanager
def slot() -> Iterator[None]:
    """Hold a slot; a box that is opened while this thread holds one already (a `--help` after a start) needs no
    second.
    """
    if getattr(_mine, "held", False):
        yield
        return
    with _slots:
        _mine.held = True
        try:
            yield
        finally:
            _mine.held = False
