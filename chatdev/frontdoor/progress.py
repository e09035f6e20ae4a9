"""What a person sees of the set-up: the step, what it is busy with, the seconds so far.

Contract: on a terminal one line is painted over and over, elsewhere a line is written per step and one every
`QUIET_SECONDS`, so that a build log neither floods nor looks dead. Everything also goes to the log file.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TextIO

QUIET_SECONDS = 10.0


class Progress:
    """Reports a set-up of `steps` steps on `out` (stderr if None) and, once there is one, in a log file."""

    def __init__(self, steps: int, out: TextIO | None = None) -> None:
        self.out = out or sys.stderr
        self.paints = self.out.isatty() and os.environ.get("TERM") != "dumb"
        self.steps = steps
        self.number, self.title, self.started = 0, "", time.monotonic()
        self._spoken, self._wide = self.started, 0
        self._log: TextIO | None = None

    def keep_log(self, path: Path) -> None:
        """Write a new log at `path` from now on."""
        self._log = path.open("w", encoding="utf-8", errors="replace")

    def close(self) -> None:
        """Leave the terminal and the log tidy."""
        self._wipe()
        if self._log:
            self._log.close()
            self._log = None

    def say(self, text: str) -> None:
        """A line that stays."""
        self._wipe()
        self._write(text + "\n")
        self.record(text)

    def step(self, title: str) -> None:
        """The next step begins."""
        self.number, self.title = self.number + 1, title
        self.say(f"[{self.number}/{self.steps}] {title}")

    def busy(self, with_what: str) -> None:
        """What the step is doing at this moment; call it as often as you like."""
        now = time.monotonic()
        text = f"      {now - self.started:4.0f} s  {with_what}"
        if self.paints:
            text = text[: max(20, shutil.get_terminal_size().columns - 1)]
            self._write("\r" + text.ljust(self._wide))
            self._wide = len(text)
        elif now - self._spoken >= QUIET_SECONDS:
            self._write(text + "\n")

    def record(self, line: str) -> None:
        """A line for the log file alone."""
        if self._log:
            self._log.write(f"{self.seconds:8.2f}  {line}\n")
            self._log.flush()

    @property
    def seconds(self) -> float:
        """Wall time since the set-up began."""
        return time.monotonic() - self.started

    def _wipe(self) -> None:
        if self._wide:
            self._write("\r" + " " * self._wide + "\r")
            self._wide = 0

    def _write(self, text: str) -> None:
        self._spoken = time.monotonic()
        encoding = self.out.encoding or "utf-8"
        self.out.write(text.encode(encoding, "replace").decode(encoding))  # a folder's name may be beyond a code page
        self.out.flush()
