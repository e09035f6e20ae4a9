"""Files in a container that nothing in it can write: they are root's, in folders where others may add and not rename.

One `exec` as user 0 writes them before the product's supervisor is told anything. No mount of the host is needed, so a
remote daemon works like a local one; user 0 has no capability here, and nothing else in the container ever is user 0.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from chatdev.errors import UserError
from chatdev.sandbox.bundle import bundle_of
from chatdev.sandbox.line import DockerLine

SEAL = """\
import io, os, sys, tarfile
stream = sys.stdin.buffer
archive = io.BytesIO(stream.read(int(stream.readline(32))))
with tarfile.open(fileobj=archive, mode="r:") as tar:
    for member in tar:
        here = "/box"
        for part in member.name.split("/")[:-1]:
            here += "/" + part
            if not os.path.isdir(here):
                os.mkdir(here)
                os.chmod(here, 0o1777)
        with open("/box/" + member.name, "xb") as file:
            file.write(tar.extractfile(member).read())
        os.chmod("/box/" + member.name, 0o444)
"""
"""Run by the system's Python in the container; `/box` is a tmpfs of root's that everybody may write to."""
SECONDS = 60.0


def seal(client: Any, container: str, files: Mapping[str, bytes]) -> None:
    """Write files, named from `/box`, into a started container.

    Raises:
        UserError: the engine could not do it.
    """
    archive = bundle_of(dict(files)).tar
    made = client.api.exec_create(container, ["python3", "-I", "-c", SEAL], stdin=True, user="0:0")
    line = DockerLine(client.api.exec_start(made["Id"], socket=True), errors=True)
    until, said = time.monotonic() + SECONDS, b""
    try:
        line.send(f"{len(archive)}\n".encode() + archive, until)
        while data := line.receive(until):
            said += data
    except (TimeoutError, OSError) as error:
        said += str(error or "no answer").encode()
    finally:
        line.close()
    if client.api.exec_inspect(made["Id"])["ExitCode"] != 0:
        last = (said.decode("utf-8", "replace").strip().splitlines() or ["no word"])[-1]
        raise UserError(f"the tests cannot be put into the container: {last[:300]}")
