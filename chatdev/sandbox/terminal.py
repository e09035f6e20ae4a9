"""The person's terminal while a program runs in a box: raw keys in, bytes out, restored at the end.

Where there is no POSIX terminal (Windows, a pipe) input is carried line by line.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any


class Terminal:
    """A context manager around standard input and output."""

    def __init__(self) -> None:
        self.raw = False
        self.saved: Any = None

    def __enter__(self) -> Terminal:
        if sys.stdin.isatty() and sys.platform != "win32":
            import termios
            import tty

            self.saved = termios.tcgetattr(sys.stdin.fileno())
            tty.setraw(sys.stdin.fileno())
            self.raw = True
        return self

    def __exit__(self, *_: object) -> None:
        if self.saved is not None and sys.platform != "win32":
            import termios

            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self.saved)
            # Whatever the program did to the screen: leave the alternate one, show the cursor, plain colours.
            self.show(b"\x1b[?1049l\x1b[?25h\x1b[0m\r\n")

    def read(self) -> bytes:
        """The next keys; b"" at the end of input."""
        try:
            return os.read(sys.stdin.fileno(), 4096)
        except (OSError, ValueError):
            return b""

    def show(self, data: bytes) -> None:
        """Bytes of the program. On a terminal they are its own; a pipe gets them as they are."""
        try:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except (OSError, ValueError):
            return

    def on_resize(self, then: Callable[[], None]) -> None:
        """Call `then` whenever the window changes its size (POSIX, main thread)."""
        number = getattr(signal, "SIGWINCH", None)
        if number is not None and self.raw and threading.current_thread() is threading.main_thread():
            signal.signal(number, lambda *_: then())
