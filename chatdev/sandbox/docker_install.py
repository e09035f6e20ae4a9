"""The installer container of the Docker engine: network, wheels only, no source, no secrets; fills a volume."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from chatdev.sandbox import deps, owner
from chatdev.sandbox.deps import Installed
from chatdev.sandbox.line import DockerLine
from chatdev.sandbox.requirements import Wanted

if TYPE_CHECKING:
    from chatdev.sandbox.docker_engine import DockerEngine

DEPS_LABEL = "chatdev.deps"
KEPT = 200_000
"""Characters of the installer's output that are looked at."""


def install(engine: DockerEngine, wanted: Wanted) -> Installed:
    """Fill (or find) the volume for these lines. The volume counts as filled when its marker volume is there."""
    image = engine.client.images.get(engine.image)
    name = f"chatdev-deps-{deps.key(wanted, image.id)}"
    if _exists(engine, f"{name}-ok"):
        return Installed(True, name, f"installed earlier: {', '.join(wanted.install)}")
    labels = {DEPS_LABEL: name, "chatdev.owner": owner.mark()}
    _drop(engine, name)  # what a killed installer left is not trusted
    engine.client.volumes.create(name, labels=labels)
    code, output = _run(engine, wanted, name)
    done = deps.verdict(code, output, name, wanted)
    if done.ok:
        engine.client.volumes.create(f"{name}-ok", labels={DEPS_LABEL: name})
    else:
        _drop(engine, name)
    return done


def sweep(engine: DockerEngine) -> list[str]:
    """Remove volumes that a killed installer left half filled."""
    from docker.errors import APIError

    found = {v.name: v for v in engine.client.volumes.list(filters={"label": DEPS_LABEL})}
    removed = []
    for name, volume in found.items():
        labels = volume.attrs.get("Labels") or {}
        if not name.endswith("-ok") and f"{name}-ok" not in found and owner.is_gone(labels.get("chatdev.owner", "")):
            with contextlib.suppress(APIError):
                volume.remove()
                removed.append(name)
    return removed


def settings(engine: DockerEngine, volume: str, network: str) -> dict[str, Any]:
    """Arguments of `docker create` for the installer."""
    from docker.types import LogConfig, Mount, Ulimit

    from chatdev.sandbox.docker_engine import LABEL

    return {
        "image": engine.image,
        "entrypoint": [],
        "command": ["python3", "-I", "-c", deps.INSTALL],
        "working_dir": "/",
        "user": "0:0",  # the volume is root's; without capabilities that is all root means here
        "network_mode": network,
        "mem_limit": 1024**3,
        "memswap_limit": 1024**3,
        "pids_limit": 128,
        "read_only": True,
        "tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=64m,mode=1777"},
        "mounts": [Mount("/deps", volume, type="volume")],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "init": True,
        "ulimits": [Ulimit(name="core", soft=0, hard=0)],
        "log_config": LogConfig(type="none"),
        "stdin_open": True,
        "hostname": "installer",
        "labels": {
            LABEL: engine.run_id,
            "chatdev.owner": owner.mark(),
            "chatdev.deadline": str(int(time.time() + deps.SECONDS + 3600)),
        },
    }


def _run(engine: DockerEngine, wanted: Wanted, volume: str) -> tuple[int | None, str]:
    """Run the installer to its end: (exit status, output). On an engine without a usable bridge it shares the
    host's network.
    """
    from docker.errors import APIError

    for network in ("bridge", "host"):
        container = engine.client.containers.create(**settings(engine, volume, network))
        try:
            line = DockerLine.attached(engine.client, container.id, errors=True)
            try:
                container.start()
            except APIError:
                if network == "host":
                    raise
                continue
            output = _talk(line, deps.order(wanted, "/deps", "/deps/.space"))
            with contextlib.suppress(Exception):
                return int(container.wait(timeout=30)["StatusCode"]), output
            return None, output
        finally:
            engine.remove(container)
    return None, ""


def _talk(line: DockerLine, order: bytes) -> str:
    until = time.monotonic() + deps.SECONDS + 60
    pieces: list[bytes] = []
    try:
        line.send(order, until)
        while data := line.receive(until):
            pieces.append(data)
            del pieces[:-200]
    except (TimeoutError, OSError):
        pieces.append(b"\nERROR: too slow")
    finally:
        line.close()
    return b"".join(pieces).decode("utf-8", "replace")[-KEPT:]


def _exists(engine: DockerEngine, name: str) -> bool:
    from docker.errors import NotFound

    try:
        engine.client.volumes.get(name)
    except NotFound:
        return False
    return True


def _drop(engine: DockerEngine, name: str) -> None:
    from docker.errors import NotFound

    with contextlib.suppress(NotFound):
        engine.client.volumes.get(name).remove(force=True)
