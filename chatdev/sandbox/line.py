"""The two-way byte line between an engine and one box, whatever carries it."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import threading
import time
from typing import Any, Protocol


class Line(Protocol):
    """Bytes to and from a box. `until` is a moment of `time.monotonic`; TimeoutError when it passes, OSError when
    it breaks.
    """

    def send(self, data: bytes, until: float) -> None: ...

    def receive(self, until: float) -> bytes:
        """The next bytes; b"" at the end."""

    def close(self) -> None:
        """Close both directions: the box notices and ends itself."""


class DockerLine:
    """The standard streams of a process in a container, over the socket that the SDK gave for them."""

    def __init__(self, wrapped: Any, *, errors: bool = False) -> None:
        self.kinds = (1, 2) if errors else (1,)
        # The SDK gives a SocketIO around the raw socket (or a wrapper of its own for TLS, SSH and Windows pipes).
        self.keep = wrapped
        self.socket = getattr(wrapped, "_sock", wrapped)
        self.buffer = bytearray()
        self.writing = threading.Lock()

    @classmethod
    def attached(cls, client: Any, container: str, *, errors: bool = False) -> DockerLine:
        """The line to a container's own process, not yet or just started."""
        streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        return cls(client.api.attach_socket(container, params=streams), errors=errors)

    def send(self, data: bytes, until: float) -> None:
        with self.writing:
            self._limit(until)
            self.socket.sendall(data)

    def receive(self, until: float) -> bytes:
        """The next bytes of standard output; standard error of the box's own process is dropped unless asked for."""
        while True:
            while len(self.buffer) < 8:
                if not self._more(until):
                    return b""
            kind, size = self.buffer[0], int.from_bytes(self.buffer[4:8], "big")
            while len(self.buffer) < 8 + size:
                if not self._more(until):
                    return b""
            data = bytes(self.buffer[8 : 8 + size])
            del self.buffer[: 8 + size]
            if kind in self.kinds and data:
                return data

    def close(self) -> None:
        for end in (self.keep, self.socket):
            with contextlib.suppress(OSError):
                end.close()

    def _more(self, until: float) -> bool:
        self._limit(until)
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def _limit(self, until: float) -> None:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.socket.settimeout(left)


class PipeLine:
    """The standard streams of a child process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.pieces: queue.Queue[bytes] = queue.Queue(maxsize=64)
        self.complaint: list[bytes] = []
        self.writing = threading.Lock()
        for work in (self._drain, self._overhear):
            threading.Thread(target=work, daemon=True).start()

    def send(self, data: bytes, until: float) -> None:
        assert self.process.stdin is not None
        with self.writing:
            try:
                self.process.stdin.write(data)
                self.process.stdin.flush()
            except ValueError as error:  # closed by another thread
                raise OSError(str(error)) from error

    def receive(self, until: float) -> bytes:
        left = until - time.monotonic()
        try:
            return self.pieces.get(timeout=max(0.0, left))
        except queue.Empty:
            raise TimeoutError from None

    def close(self) -> None:
        if self.process.stdin:
            with contextlib.suppress(OSError):
                self.process.stdin.close()

    def said(self) -> str:
        """The last line on standard error."""
        lines = b"".join(self.complaint).decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""

    def _drain(self) -> None:
        assert self.process.stdout is not None
        handle = self.process.stdout.fileno()
        while True:
            try:
                data = os.read(handle, 65536)
            except (OSError, ValueError):
                data = b""
            self.pieces.put(data)
            if not data:
                return

    def _overhear(self) -> None:
        assert self.process.stderr is not None
        handle = self.process.stderr.fileno()
        with contextlib.suppress(OSError, ValueError):
            while data := os.read(handle, 4096):
                self.complaint.append(data)
                del self.complaint[:-16]
