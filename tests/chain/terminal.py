"""A person at a real (pseudo) terminal: sees what is printed, types, presses Ctrl-C."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from tests.chain.table import BUILD, company, file, order, script

HELLO = file('print("hello")')
ASK = "approve [Enter]"


class Terminal:
    """A run on a terminal of its own, which is its controlling terminal."""

    def __init__(self, folder, *args, **env):
        command, environment = order(*args)
        environment = {name: text for name, text in environment.items() if name not in ("CI", "NO_COLOR")}
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.mode = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment, "TERM": "xterm", **env},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            preexec_fn=self._own,
        )
        self.seen = ""
        self.read = 0

    @staticmethod
    def _own():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def see(self, text, seconds=60):
        """Wait until a text was printed since what was seen before."""
        until = time.monotonic() + seconds
        while text not in self.seen[self.read :]:
            assert time.monotonic() < until, f"not seen: {text!r} in {self.seen[-3000:]}"
            assert self._take(0.1) or self.process.poll() is None, f"over, not seen: {text!r} in {self.seen[-3000:]}"
        self.read = self.seen.index(text, self.read) + len(text)

    def _take(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        with contextlib.suppress(OSError):
            self.seen += os.read(self.master, 65536).decode(errors="replace")
            return True
        return False

    def type(self, text):
        """Type; the terminal takes a bit at a time, and what it prints meanwhile is read."""
        raw = text if isinstance(text, bytes) else text.encode()
        while raw:
            if select.select([], [self.master], [], 0.05)[1]:
                raw = raw[os.write(self.master, raw[:1000]) :]
            self._take(0)

    def end(self, seconds=60):
        """Wait for the end; returns the exit status. The terminal has to be as it was."""
        until = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < until, f"does not end: {self.seen[-3000:]}"
            self._take(0.1)
        while self._take(0.1):
            pass
        mode = termios.tcgetattr(self.slave)
        os.close(self.slave)
        os.close(self.master)
        assert mode[3] == self.mode[3], "the terminal was left in another mode"
        return self.process.returncode

    @property
    def plain(self):
        """What was printed, without control sequences."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.seen)


def reviewed(tmp_path, *replies, chain="review: all\nchain: [build]\n", phases=None, **env):
    mine = company(tmp_path, chain, **(phases or {"build": BUILD}))
    return Terminal(tmp_path, "--company", mine, "--model", script(tmp_path, *replies), **env)
