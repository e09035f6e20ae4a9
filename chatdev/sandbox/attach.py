"""`start`: a product run for a person, inside the same walls as everything else.

Terminal programs get this terminal, servers get a port on 127.0.0.1 here, programs with windows are shown in the
browser (the box's own noVNC on a forwarded port behind a one-time token). The box has no network: connections are
carried over its standard streams. Ctrl-C goes to the program; pressed twice within two seconds it ends the box.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from chatdev.errors import UserError
from chatdev.sandbox import wire
from chatdev.sandbox.bundle import contents, pack
from chatdev.sandbox.deps import Ask
from chatdev.sandbox.engine import Engine
from chatdev.sandbox.entry import find_entry
from chatdev.sandbox.forward import Forwards
from chatdev.sandbox.job import Job, Step
from chatdev.sandbox.line import Line
from chatdev.sandbox.rung_install import install_rung
from chatdev.sandbox.terminal import Terminal

Tell = Callable[[str], None]


def start(folder: Path, engine: Engine, tell: Tell, arguments: tuple[str, ...] = (), ask: Ask | None = None) -> int:
    """Run the product in `folder` until it ends or the person ends it; returns its exit status (130 after Ctrl-C).

    `tell` gets lines for the person, such as the address to open; `ask` is asked before a package nobody here knows
    is installed.

    Raises:
        UserError: there is no entry point, or the box cannot be made.
    """
    bundle = pack(folder)
    entry = find_entry(contents(bundle))
    if entry is None:
        raise UserError("there is no entry point to start", where=str(folder), fix="Add a main.py or an index.html.")
    step = Step("serve", [*entry.command, *arguments])
    installed, deps = install_rung(contents(bundle), engine, ask)
    if installed is not None and installed.state in ("failed", "unverified"):
        tell(f"dependencies: {installed.summary}")
    job = Job(bundle, (step,), deps=deps, display=entry.gui, serve=True)
    secret = wire.new_secret()
    with engine.session(job, secret) as (line, opening):
        for piece in opening:
            line.send(piece, time.monotonic() + 60)
        return _Sitting(line, secret, tell).hold()


class _Sitting:
    """One person, one program."""

    def __init__(self, line: Line, secret: str, tell: Tell) -> None:
        self.line, self.tell = line, tell
        self.frames = wire.Frames(secret)
        self.forwards = Forwards(self.send, tell)
        self.terminal = Terminal()
        self.code: int | None = None
        self.interrupted = 0.0
        self.ending = threading.Event()

    def send(self, kind: bytes, channel: int, payload: bytes = b"") -> None:
        """One frame towards the box; silent when it is gone (the reader will notice)."""
        head = kind + channel.to_bytes(4, "big") + len(payload).to_bytes(4, "big")
        try:
            self.line.send(head + payload, time.monotonic() + 60)
        except (OSError, ValueError):
            self.ending.set()

    def hold(self) -> int:
        with self.terminal:
            if not self.terminal.raw:
                self.send(b"e", 0)
            threading.Thread(target=self._type, daemon=True).start()
            self.terminal.on_resize(self._resize)
            self._resize()
            try:
                self._read()
            except KeyboardInterrupt:
                self.code = 130
            finally:
                self.forwards.close()
        return 130 if self.code is None else self.code

    def _read(self) -> None:
        while self.code is None and not self.ending.is_set():
            try:
                data = self.line.receive(time.monotonic() + 0.5)
            except TimeoutError:
                continue
            except OSError:
                return
            if not data:
                return
            for kind, payload in self.frames.feed(data):
                self._act(kind, payload)

    def _act(self, kind: str, payload: bytes) -> None:
        import json

        if kind == "out":
            self.terminal.show(payload)
        elif kind == "data":
            self.forwards.deliver(int.from_bytes(payload[:4], "big"), payload[4:])
        elif kind == "close":
            self.forwards.shut(int.from_bytes(payload[:4], "big"))
        elif kind == "port":
            self.forwards.offer(int(json.loads(payload)["port"]), page=False)
        elif kind == "screen":
            self.forwards.offer(int(json.loads(payload)["port"]), page=True)
        elif kind == "exit":
            self.code = int(json.loads(payload)["code"])

    def _type(self) -> None:
        """Carry keys to the program; the second Ctrl-C within two seconds ends the box."""
        while data := self.terminal.read():
            if b"\x03" in data and self.terminal.raw:
                now = time.monotonic()
                if now - self.interrupted < 2 or data.count(b"\x03") > 1:  # both may come in one piece
                    self.ending.set()
                    return
                self.interrupted = now
            self.send(b"i", 0, data)
        if not self.terminal.raw:
            self.send(b"i", 0, b"\x04")  # the end of a piped input is the end of the terminal's input

    def _resize(self) -> None:
        size = shutil.get_terminal_size((80, 24))
        self.send(b"s", 0, f"{size.lines} {size.columns}".encode())
