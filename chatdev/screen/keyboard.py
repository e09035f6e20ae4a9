"""What a person types: bytes of a terminal to lines of text.

The terminal gives every key at once and echoes nothing (the screen shows what is typed), so no line is cut at the 4,096
bytes of a terminal's own editor, and a live screen is not torn. Bytes that are no UTF-8 become replacement characters;
what is pasted between the marks of a bracketed paste is one entry with its line breaks. Where a system has no such
terminals, lines are read as the system gives them.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

try:
    import termios
except ImportError:  # Windows
    termios = None  # type: ignore[assignment]

LONGEST = 100_000
"""Characters of one entry; what is beyond is left out, and `cut` says so."""
_PASTE = ("[200~", "[201~")


class LineEditor:
    """Keys to entries. Holds the entry that is being typed in `text`."""

    def __init__(self) -> None:
        self._made: list[str] = []
        self._escape: str | None = None
        self._pasting = False
        self.cut = False
        """Something of this entry was left out."""

    @property
    def text(self) -> str:
        return "".join(self._made)

    def beginning(self, most: int) -> str:
        """The first characters of it."""
        return "".join(self._made[:most])

    def end(self, most: int) -> str:
        """The last characters of it."""
        return "".join(self._made[-most:])

    def feed(self, keys: str) -> tuple[bool, str | None, str]:
        """Take keys up to the end of an entry.

        Returns:
            Whether an entry is complete; the entry (None for the end of input, Ctrl-D on an empty one); the keys behind
            it, which were not taken.
        """
        for number, key in enumerate(keys):
            if self._in_escape(key):
                continue
            if key in "\r\n" and not self._pasting:
                return True, self._taken(), keys[number + 1 :]
            if key == "\x04" and not self._made:
                return True, None, keys[number + 1 :]
            self._edit(key)
        return False, None, ""

    def _taken(self) -> str:
        made, self._made = self.text, []
        return made

    def _in_escape(self, key: str) -> bool:
        """Swallow the sequences that arrow keys and the like send; heed those around a paste."""
        if self._escape is None:
            if key == "\x1b":
                self._escape = ""
                return True
            return False
        self._escape += key
        start = self._escape[0] in "[O"
        if not start or (len(self._escape) > 1 and (key.isalpha() or key == "~")) or len(self._escape) > 12:
            if self._escape in _PASTE:
                self._pasting = self._escape == _PASTE[0]
            self._escape = None
        return True

    def _edit(self, key: str) -> None:
        if key in "\x7f\x08":
            del self._made[-1:]
        elif key == "\x15":
            self._made.clear()
        elif key == "\x17":
            kept = self.text.rstrip()
            self._made[:] = kept[: len(kept) - len(kept.split(" ")[-1])]
        elif key in "\n\t" or key.isprintable():
            if not self._made:
                self.cut = False
            if len(self._made) < LONGEST:
                self._made.append(key)
            else:
                self.cut = True
        elif key == "\r":
            self._made.append("\n")


class Keyboard:
    """The terminal that somebody types at. One at a time may read from it."""

    def __init__(self, file: Any = None) -> None:
        """`file` is an open terminal; standard input unless given."""
        self._file = sys.stdin if file is None else file
        self._fd = self._file.fileno()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._usual: list[Any] | None = None
        """The mode of the terminal outside of `open`."""
        self.each_key = termios is not None
        """Keys come one by one; otherwise only whole lines, and waiting for one cannot be broken off."""
        self.held = ""
        """Keys that were read and belong to nobody yet."""

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Take the keys one by one and without echo; the terminal is as it was afterwards, whatever happens."""
        before = self._now()
        mode = self._now()
        if before is None or mode is None:
            yield
            return
        mode[3] &= ~(termios.ICANON | termios.ECHO)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        with self._mode(mode, before):
            yield

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """Within `open`: give the terminal to another program, as it was before."""
        now = self._now()
        if now is None or self._usual is None:
            yield
            return
        with self._mode(self._usual, now):
            yield

    def _now(self) -> list[Any] | None:
        """The terminal's mode; None where there is no such thing, or the terminal is gone."""
        if termios is not None:
            with contextlib.suppress(termios.error):
                return list(termios.tcgetattr(self._fd))
        return None

    @contextlib.contextmanager
    def _mode(self, mode: list[Any], afterwards: list[Any]) -> Iterator[None]:
        """Have a mode of the terminal for a while; also after the process was stopped (Ctrl-Z) and goes on."""
        usual, self._usual = self._usual, self._usual or afterwards
        old = None
        if threading.current_thread() is threading.main_thread():
            old = signal.signal(signal.SIGCONT, lambda number, frame: self._set(mode))
        try:
            self._set(mode)
            yield
        finally:
            self._set(afterwards)
            self._usual = usual
            if old is not None:
                signal.signal(signal.SIGCONT, old)

    def _set(self, mode: list[Any]) -> None:
        # A terminal that is gone needs no mode. What was typed ahead is kept.
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._fd, termios.TCSADRAIN, mode)

    def keys(self, seconds: float) -> str | None:
        """What was typed: text, "" when nothing came within `seconds`, None at the end of input."""
        if self.held:
            held, self.held = self.held, ""
            return held
        if termios is None:
            raw = self._file.buffer.readline(LONGEST * 4)
        else:
            if not select.select([self._fd], [], [], seconds)[0]:
                return ""
            try:
                raw = os.read(self._fd, 65536)
            except OSError:  # the other end of the terminal was closed
                raw = b""
        return self._decoder.decode(raw) if raw else None
