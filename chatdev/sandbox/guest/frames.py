"""Talking to the engine: frames on standard output, and output streams kept within a cap.

A frame is `\\n\\x00<secret> <kind> <length> <crc32>\\n<payload>`. What a hostile program manages to write in
between is not a frame, because it does not know the secret; if it tears a frame, the checksum says so.
"""

from __future__ import annotations

import base64
import json
import os
import threading
import zlib
from collections import deque
from typing import Any


class Speaker:
    """Writes frames; safe to use from several threads."""

    def __init__(self, secret: str, handle: int) -> None:
        self.secret, self.handle = secret, handle
        self.lock = threading.Lock()

    def send(self, kind: str, payload: bytes) -> None:
        head = f"\n\0{self.secret} {kind} {len(payload)} {zlib.crc32(payload)}\n".encode()
        with self.lock:
            data = memoryview(head + payload)
            while data:
                data = data[os.write(self.handle, data) :]

    def tell(self, kind: str, message: dict[str, Any]) -> None:
        self.send(kind, json.dumps(message).encode())

    def file(self, step: str, name: str, data: bytes) -> None:
        head = json.dumps({"step": step, "name": name}).encode()
        self.send("file", head + b"\n" + data)


class Keeper:
    """Keeps the head and the tail of a stream, each at most half of `cap` bytes, and counts the rest."""

    def __init__(self, cap: int) -> None:
        self.half = max(1, cap // 2)
        self.head = bytearray()
        self.tail: deque[bytes] = deque()
        self.tail_size = 0
        self.total = 0

    def feed(self, data: bytes) -> None:
        self.total += len(data)
        room = self.half - len(self.head)
        if room > 0:
            self.head += data[:room]
            data = data[room:]
        if data:
            self.tail.append(data)
            self.tail_size += len(data)
            while self.tail_size - len(self.tail[0]) >= self.half:
                self.tail_size -= len(self.tail.popleft())

    def ending(self, size: int = 4096) -> bytes:
        """The last bytes seen."""
        return (bytes(self.head) + b"".join(self.tail))[-size:]

    def everything(self) -> bytes:
        return bytes(self.head) + b"".join(self.tail)

    def wire(self) -> dict[str, Any]:
        tail = b"".join(self.tail)[-self.half :]
        return {
            "head": base64.b64encode(bytes(self.head)).decode(),
            "tail": base64.b64encode(tail).decode(),
            "total": self.total,
        }
