"""Who may talk to the studio, and what its answers may do in a browser.

The studio can start programs and spend money, and every page a person has open can send requests to 127.0.0.1. So
each request must name the studio itself in `Host` (a name of a stranger's that resolves to 127.0.0.1 is refused), must
not come from another page (`Origin`, `Sec-Fetch-Site`), and must carry the token in a header for all but the page's
own files. The token stands in the fragment of the address, which browsers send nowhere; the page keeps it in the
session storage, which is the studio's alone (a cookie would go to every port of 127.0.0.1).
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 4_000_000
"""Bytes of one request."""
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Refused(Exception):
    """A request that the studio does not answer."""

    def __init__(self, status: int, what: str) -> None:
        self.status, self.what = status, what
        super().__init__(what)


class Guard:
    """ASGI middleware in front of everything.

    Args:
        token: what every request for data must carry as `Authorization: Bearer TOKEN`.
        port: the port the studio listens on; it is part of the names it answers to.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app, self._token = app, token
        self._hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        try:
            self._check(scope["method"], scope["path"], Headers(scope=scope))
        except Refused as refused:
            await _answer(send, refused)
            return
        await self.app(scope, _bounded(receive), _hardened(send, scope["path"]))

    def _check(self, method: str, path: str, headers: Headers) -> None:
        if headers.getlist("host") not in [[host] for host in self._hosts]:
            raise Refused(421, "this name is not the studio's")
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{headers['host']}":
            raise Refused(403, "another page asked")
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Refused(403, "another page asked")
        if not path.startswith("/api/"):
            if method not in ("GET", "HEAD"):
                raise Refused(405, "only to be read")
            return
        given = headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            raise Refused(401, "the token is missing or not the right one")
        if method not in ("GET", "HEAD"):
            self._check_writing(headers, origin)

    @staticmethod
    def _check_writing(headers: Headers, origin: str | None) -> None:
        if origin is None:
            raise Refused(403, "a request that changes something must say which page sent it")
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise Refused(415, "only JSON is taken")
        length = headers.get("content-length", "")
        if not length.isascii() or not length.isdigit() or int(length) > LARGEST_BODY:
            raise Refused(413, f"a request takes at most {LARGEST_BODY:,} bytes")


def _bounded(receive: Receive) -> Receive:
    """The server believes `Content-Length`; whoever sends more than it said is cut off here."""
    taken = 0

    async def receiving() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return message if taken <= LARGEST_BODY else {"type": "http.disconnect"}

    return receiving


def _hardened(send: Send, path: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers["cache-control"] = "no-store" if path.startswith("/api/") else "no-cache"
        await send(message)

    return sending


async def _answer(send: Send, refused: Refused) -> None:
    body = json.dumps({"error": refused.what}).encode()
    headers: Iterable[tuple[bytes, bytes]] = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *((name.encode(), value.encode()) for name, value in HEADERS.items()),
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
