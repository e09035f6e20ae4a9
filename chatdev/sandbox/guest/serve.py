"""A program run for a person: its terminal and its ports are relayed over the box's own streams.

Towards this side frames are `kind (1 byte) channel (4) length (4) payload`; kinds: i terminal input, s terminal
size, o open a connection to a port, d data, c close. The box keeps having no network: every connection is made
here, on its loopback.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from typing import IO, Any

from chatdev.sandbox.guest.frames import Speaker
from chatdev.sandbox.guest.procs import Ground, held_bytes, ports_of
from chatdev.sandbox.guest.screen import Screen, keep_focus

CONTROL = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
"""Makes the terminal the controlling one, so that Ctrl-C and /dev/tty work, then becomes the program."""
VNC_PORT, WEB_PORT = 5900, 6080


def with_terminal(command: list[str], env: dict[str, str]) -> list[str]:
    """The command, started as the leader of the terminal it gets as its input; OSError when it does not exist."""
    if shutil.which(command[0], path=env.get("PATH")) is None:
        raise FileNotFoundError(2, "No such file or directory")
    return [sys.executable, "-I", "-c", CONTROL, *command]


class Relay:
    """One program, its terminal, and any number of connections to its ports."""

    def __init__(self, speaker: Speaker, ground: Ground, plan: dict[str, Any]) -> None:
        self.speaker, self.ground, self.plan = speaker, ground, plan
        self.master = -1
        self.links: dict[int, socket.socket] = {}
        self.helpers: list[subprocess.Popen[bytes]] = []

    def run(self, step: dict[str, Any], env: dict[str, str], cwd: str, source: IO[bytes], screen: Screen | None) -> int:
        """Run to the program's own end; returns its exit status. `screen` is shown to the person."""
        import pty

        if screen is not None:
            self._show(screen)
        self.master, slave = pty.openpty()
        process = subprocess.Popen(
            with_terminal(step["command"], env), cwd=cwd, env=env, stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        speaking = threading.Thread(target=self._speak, daemon=True)
        speaking.start()
        for work in (lambda: self._listen(source), lambda: self._ports(screen is not None)):
            threading.Thread(target=work, daemon=True).start()
        code = self._wait(process)
        # The last words are still in the terminal; it ends when nobody has it open, which a child left behind may.
        speaking.join(timeout=2)
        return code

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        """The program's exit status; it is ended when its time is over, or its memory where no group holds that."""
        until = time.monotonic() + float(self.plan["deadline"])
        while True:
            try:
                return process.wait(timeout=0.3)
            except subprocess.TimeoutExpired:
                over = "memory" if self._too_large() else "time" if time.monotonic() > until else ""
            if over:
                self.speaker.send("out", f"\r\nit ran into the {over} limit and was ended\r\n".encode())
                process.kill()
                process.wait()
                return 137

    def _too_large(self) -> bool:
        most = self.plan["watch_memory"]
        return bool(most) and held_bytes(self.ground.strangers(), files=self.plan["own_namespace"]) > most

    def _show(self, screen: Screen) -> None:
        """Serve the display to a browser: x11vnc for the picture, websockify and noVNC for the page."""
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        commands = (
            [
                "x11vnc",
                "-display",
                screen.name,
                "-localhost",
                "-forever",
                "-shared",
                "-nopw",
                "-quiet",
                "-rfbport",
                str(VNC_PORT),
            ],
            ["websockify", "--web", "/usr/share/novnc", f"127.0.0.1:{WEB_PORT}", f"127.0.0.1:{VNC_PORT}"],
        )
        for command in commands:
            helper = subprocess.Popen(command, start_new_session=True, **quiet)  # type: ignore[call-overload]
            self.helpers.append(helper)
            self.ground.ours.add(helper.pid)
        threading.Thread(target=keep_focus, args=(screen,), daemon=True).start()

    def _ports(self, vnc: bool) -> None:
        told: set[int] = set()
        if vnc and _ready(WEB_PORT):
            self.speaker.tell("screen", {"port": WEB_PORT})
        while True:
            helpers = {h.pid for h in self.helpers}
            for port in ports_of([pid for pid in self.ground.strangers() if pid not in helpers]):
                if port not in told and port not in (VNC_PORT, WEB_PORT):
                    told.add(port)
                    self.speaker.tell("port", {"port": port})
            time.sleep(0.4)

    def _speak(self) -> None:
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            if not data:
                return
            self.speaker.send("out", data)

    def _listen(self, source: IO[bytes]) -> None:
        """Act on the frames that come in; when the line closes, the box ends."""
        while len(head := source.read(9)) == 9:
            kind, channel, size = head[:1], int.from_bytes(head[1:5], "big"), int.from_bytes(head[5:9], "big")
            payload = source.read(size) if size else b""
            try:
                self._act(kind, channel, payload)
            except (OSError, ValueError):
                self._close(channel)
        for pid in self.ground.strangers():
            try:
                os.kill(pid, 9)
            except OSError:
                continue
        os._exit(3)

    def _act(self, kind: bytes, channel: int, payload: bytes) -> None:
        if kind == b"i":
            os.write(self.master, payload)
        elif kind == b"e":
            _no_echo(self.master)
        elif kind == b"s":
            import fcntl
            import struct
            import termios

            rows, columns = (int(n) for n in payload.split())
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        elif kind == b"o":
            link = socket.create_connection(("127.0.0.1", int(payload)), timeout=5)
            link.settimeout(None)
            self.links[channel] = link
            threading.Thread(target=self._carry, args=(channel, link), daemon=True).start()
        elif kind == b"d" and channel in self.links:
            self.links[channel].sendall(payload)
        elif kind == b"c":
            self._close(channel)

    def _carry(self, channel: int, link: socket.socket) -> None:
        mark = channel.to_bytes(4, "big")
        while True:
            try:
                data = link.recv(65536)
            except OSError:
                data = b""
            if not data:
                break
            self.speaker.send("data", mark + data)
        self._close(channel)

    def _close(self, channel: int) -> None:
        link = self.links.pop(channel, None)
        if link is not None:
            link.close()
        self.speaker.send("close", channel.to_bytes(4, "big"))


def _no_echo(terminal: int) -> None:
    """For input from a pipe: what is typed is not shown again."""
    import termios

    settings = termios.tcgetattr(terminal)
    settings[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSANOW, settings)


def _ready(port: int) -> bool:
    """Wait until something answers on a port, ten seconds at most."""
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return True
    return False
