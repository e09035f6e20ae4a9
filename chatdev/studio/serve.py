"""Serving the studio: on 127.0.0.1, with a fresh token, without a log of requests."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

from chatdev.errors import UserError

HOST = "127.0.0.1"
USUAL_PORT = 8765


def serve(warehouse: Path, port: int | None, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C.

    Args:
        port: the port to listen on; None for the usual one, or any that is free.
        ready: told the address, token and all, once the studio listens.

    Raises:
        UserError: the port is taken.
    """
    import uvicorn

    from chatdev.studio.app import make_app

    listening = _listen(port)
    number = int(listening.getsockname()[1])
    token = secrets.token_urlsafe(32)
    config = uvicorn.Config(
        make_app(warehouse.resolve(), token, number),
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=1,
    )
    # The token is behind a #: browsers keep that part to themselves.
    ready(f"http://{HOST}:{number}/#token={token}")
    server = uvicorn.Server(config)
    with listening:
        asyncio.run(server.serve(sockets=[listening]))


def _listen(port: int | None) -> socket.socket:
    wanted = [USUAL_PORT, 0] if port is None else [port]
    for number in wanted:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((HOST, number))
            made.listen(64)
        except OSError as error:
            made.close()
            if number == wanted[-1]:
                raise UserError(
                    f"the port {number} cannot be used ({error.strerror})", fix="Choose another: run.py studio --port N"
                ) from error
        else:
            return made
    raise AssertionError("a port was found or refused")
