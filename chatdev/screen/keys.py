"""Single keys from a terminal, without waiting for Enter; nothing where there is no terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, TextIO


class Keys:
    """Context manager: the terminal gives keys as they are pressed, and is as it was afterwards."""

    def __init__(self, source: TextIO | None) -> None:
        self._source = source if source is not None and source.isatty() else None
        self._before: Any = None

    def __enter__(self) -> Keys:
        if self._source is not None and sys.platform != "win32":
            import termios
            import tty

            self._before = termios.tcgetattr(self._source)
            tty.setcbreak(self._source)  # Ctrl-C still interrupts
        return self

    def read(self, seconds: float) -> str:
        """Wait that long for a key; the key, or an empty text."""
        if self._source is None:
            time.sleep(seconds)
            return ""
        if sys.platform == "win32":
            return _read_windows(seconds)
        import os
        import select

        if not select.select([self._source], [], [], seconds)[0]:
            return ""
        return os.read(self._source.fileno(), 1).decode("ascii", "ignore")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None and sys.platform != "win32":
            import termios

            termios.tcsetattr(self._source, termios.TCSADRAIN, self._before)  # type: ignore[arg-type]


def _read_windows(seconds: float) -> str:
    import msvcrt

    end = time.monotonic() + seconds
    while True:
        if msvcrt.kbhit():  # type: ignore[attr-defined]
            return str(msvcrt.getwch())  # type: ignore[attr-defined]
        if time.monotonic() >= end:
            return ""
        time.sleep(0.01)
