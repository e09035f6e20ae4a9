"""Ports of a box, offered on 127.0.0.1 here; every connection is a channel on the box's line.

The page of a window (noVNC) is guarded: the address told to the person holds a token that works once and is
exchanged for a cookie; no other user of this machine gets in without it.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import secrets
import socket
import threading
from collections.abc import Callable

Send = Callable[[bytes, int, bytes], None]
MAX_HEAD = 32_768
MAX_PORTS = 16
"""Ports of one box that are offered; a program can open thousands."""
PRIVILEGED = 1024
"""Port numbers below this are this machine's own: a product's port 80 gets another number here."""
_REQUEST = re.compile(rb"^[A-Z]{3,8} (\S+) HTTP/1\.[01]\r\n")


class Forwards:
    """All listening sockets and channels of one box."""

    def __init__(self, send: Send, tell: Callable[[str], None]) -> None:
        self.send, self.tell = send, tell
        self.numbers = itertools.count(1)
        self.links: dict[int, socket.socket] = {}
        self.listeners: list[socket.socket] = []
        self.addresses: list[str] = []
        self.told = False

    def offer(self, port: int, *, page: bool) -> None:
        """Listen here for a port in the box and tell the person; `page`: the guarded page that shows its screen."""
        if len(self.listeners) >= MAX_PORTS:
            if not self.told:
                self.told = True
                self.tell(f"it opened more than {MAX_PORTS} ports; no more of them are offered")
            return
        listener = _listener(0 if page or port < PRIVILEGED else port)
        self.listeners.append(listener)
        here = listener.getsockname()[1]
        guard = Guard() if page else None
        address = f"http://127.0.0.1:{here}/" + (f"?token={guard.token}" if guard else "")
        self.addresses.append(address)
        self.tell(f"its window is at {address}" if page else f"its port {port} is at {address}")
        threading.Thread(target=self._accept, args=(listener, port, guard), daemon=True).start()

    def deliver(self, channel: int, data: bytes) -> None:
        """Bytes from the box for one connection."""
        link = self.links.get(channel)
        if link is None:
            return
        try:
            link.sendall(data)
        except OSError:
            self.shut(channel)
            self.send(b"c", channel, b"")

    def shut(self, channel: int) -> None:
        link = self.links.pop(channel, None)
        if link is not None:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()

    def close(self) -> None:
        for listener in self.listeners:
            listener.close()
        for channel in list(self.links):
            self.shut(channel)

    def _accept(self, listener: socket.socket, port: int, guard: Guard | None) -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(link, port, guard), daemon=True).start()

    def _serve(self, link: socket.socket, port: int, guard: Guard | None) -> None:
        first = b""
        if guard is not None:
            first = guard.admit(link)
            if not first:
                link.close()
                return
        channel = next(self.numbers)
        self.links[channel] = link
        self.send(b"o", channel, str(port).encode())
        data = first
        while True:
            if data:
                self.send(b"d", channel, data)
            try:
                data = link.recv(65536)
            except OSError:
                data = b""
            if not data:
                break
        self.links.pop(channel, None)
        link.close()
        self.send(b"c", channel, b"")


class Guard:
    """Lets a browser in that has the token (once) or the cookie it was exchanged for."""

    def __init__(self) -> None:
        self.token, self.cookie = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.used = False
        self.lock = threading.Lock()

    def admit(self, link: socket.socket) -> bytes:
        """Read a request's head: b"" when it was answered here (redirected or refused), else what is to be passed
        on.
        """
        head = _head(link)
        match = _REQUEST.match(head)
        if match and self._has_cookie(head):
            return head
        if match and self._takes_token(match[1]):
            page = "/vnc.html?autoconnect=1&resize=scale&path=websockify"
            answer = (
                f"HTTP/1.1 303 See Other\r\nLocation: {page}\r\n"
                f"Set-Cookie: chatdev={self.cookie}; HttpOnly; SameSite=Strict; Path=/\r\n"
                "Content-Length: 0\r\nConnection: close\r\n\r\n"
            )
        else:
            text = "This address worked once. Start the product again for a new one.\n"
            answer = (
                "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
                f"Content-Length: {len(text)}\r\n\r\n{text}"
            )
        with contextlib.suppress(OSError):
            link.sendall(answer.encode())
        return b""

    def _has_cookie(self, head: bytes) -> bool:
        found = re.search(rb"\r\nCookie:[^\r\n]*\bchatdev=([\w-]+)", head, re.IGNORECASE)
        return found is not None and secrets.compare_digest(found[1], self.cookie.encode())

    def _takes_token(self, target: bytes) -> bool:
        found = re.search(rb"[?&]token=([\w-]+)", target)
        if found is None or not secrets.compare_digest(found[1], self.token.encode()):
            return False
        with self.lock:
            fresh, self.used = not self.used, True
        return fresh


def _listener(port: int) -> socket.socket:
    """A socket on 127.0.0.1, on the same number as in the box where that is free."""
    with contextlib.suppress(OSError, OverflowError):
        return socket.create_server(("127.0.0.1", port))
    return socket.create_server(("127.0.0.1", 0))


def _head(link: socket.socket) -> bytes:
    link.settimeout(10)
    data = b""
    try:
        while b"\r\n\r\n" not in data and len(data) < MAX_HEAD:
            more = link.recv(4096)
            if not more:
                return b""
            data += more
    except OSError:
        return b""
    link.settimeout(None)
    return data
