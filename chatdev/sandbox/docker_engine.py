"""The first engine: a throw-away Docker container per job, driven over its standard streams by the docker SDK.

No network, no capabilities, no new privileges, read-only root, not root, bounded memory, processors, processes,
files and output; nothing of the host is mounted: the files go in and the results come out through the attached
streams, so a remote daemon works like a local one. When this process dies, the container's input closes and the
container ends itself; the next `sweep` removes what is left of it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

from chatdev.errors import UserError
from chatdev.sandbox import cgroup, owner, seccomp, wire
from chatdev.sandbox.config import SandboxConfig
from chatdev.sandbox.deps import Installed
from chatdev.sandbox.docker_seal import seal
from chatdev.sandbox.engine import OnRun
from chatdev.sandbox.job import WORK, Job, Run
from chatdev.sandbox.line import DockerLine, Line
from chatdev.sandbox.pipe_engine import sweep_spaces
from chatdev.sandbox.requirements import Wanted
from chatdev.sandbox.slots import slot

LABEL = "chatdev.run"
PYTHON = "python3"
WEB = "web"
BROWSER_MEMORY, BROWSER_PIDS = 512 * 1024**2, 200
"""What the browser gets on top of the product's own limits, in the kit that has one."""
ENV = {
    "PATH": "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/tools/bin:/usr/local/bin",
    "HOME": "/box/home",
    "TMPDIR": "/tmp",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TERM": "xterm-256color",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "PYGAME_HIDE_SUPPORT_PROMPT": "1",
    "SDL_AUDIODRIVER": "dummy",
}
"""All that a product sees of an environment."""


def connect() -> Any:
    """A client of the daemon that DOCKER_HOST, the docker context's default socket or the platform's default names.

    Raises:
        UserError: no daemon answers.
    """
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except (DockerException, OSError) as error:
        raise UserError(
            f"no Docker engine answers ({_short(error)})",
            fix="Install and start Docker (Debian: apt-get install docker.io), or choose --sandbox none.",
        ) from error
    return client


class DockerEngine:
    """Runs every job in a container of its own."""

    name = "docker"

    def __init__(self, config: SandboxConfig, run_id: str, client: Any = None) -> None:
        from chatdev.sandbox.image import default_tag, image_present

        self.config, self.run_id = config, run_id
        self.client = client or connect()
        self.image = config.image or default_tag()
        if not image_present(self.image, client=self.client):
            fix = "chatdev sandbox build" if not config.image else f"docker pull {self.image}"
            raise UserError(f"the image {self.image} is not there", fix=f"Run: {fix}")
        self.info: dict[str, Any] = self.client.info()
        if config.runtime and config.runtime not in self.info.get("Runtimes", {}):
            known = ", ".join(sorted(self.info.get("Runtimes", {})))
            raise UserError(f"sandbox.runtime: this engine has no {config.runtime!r}", fix=f"It has {known}.")

    def describe(self) -> str:
        c = self.config
        kind = " rootless" if any("rootless" in o for o in self.info.get("SecurityOptions", [])) else ""
        runtime = f", {c.runtime}" if c.runtime else ""
        return (
            f"docker{kind} {self.info.get('ServerVersion', '?')}{runtime}, {self.image}: no network, "
            f"{c.memory} memory, {c.cpus:g} cpu, {c.pids} pids, {c.disk} disk, {c.seconds:g} s"
        )

    def missing_limits(self) -> list[str]:
        missing = not_enforced(self.info)
        if not seccomp.program(machine=str(self.info.get("Architecture", ""))):
            missing.append("the machine's vsock is not shut out, as this processor is not known here (docker)")
        return missing

    def perform(self, job: Job, on_run: OnRun | None = None) -> list[Run]:
        secret = wire.new_secret()
        reader = wire.Reader(job, secret, on_run)
        with slot(), self.box(job) as (line, container):
            failure = wire.converse(line, self.opening(job, secret), reader, wire.deadline(job))
            if reader.done:
                return reader.finish("")
            return reader.finish(*self._why(container, failure))

    @contextlib.contextmanager
    def box(self, job: Job) -> Iterator[tuple[Line, Any]]:
        """A started container and the line to it; removed at the end, whatever happens."""
        from docker.errors import APIError

        try:
            container = self.client.containers.create(**self.settings(job))
        except APIError as error:
            raise UserError(f"the container cannot be made: {_short(error)}", where=self.image) from error
        try:
            line = DockerLine.attached(self.client, container.id)
            try:
                container.start()
                sealed = job.sealed()
                if sealed:
                    seal(self.client, container.id, sealed)
                yield line, container
            finally:
                line.close()
        finally:
            self.remove(container)

    @contextlib.contextmanager
    def session(self, job: Job, secret: str) -> Iterator[tuple[Line, Iterator[bytes]]]:
        with self.box(job) as (line, _):
            yield line, self.opening(job, secret)

    def opening(self, job: Job, secret: str) -> Iterator[bytes]:
        """What is written to a new box."""
        return wire.opening(
            job, secret, work=WORK, env=ENV, keep=self.config.output_bytes, disk=self.config.disk_bytes,
            own_namespace=True, call_filter=seccomp.program(machine=str(self.info.get("Architecture", ""))),
        )  # fmt: skip

    def sweep(self) -> list[str]:
        from chatdev.sandbox import docker_install

        removed = []
        for container in self.client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True):
            labels = container.labels
            late = labels.get("chatdev.deadline", "")
            if owner.is_gone(labels.get("chatdev.owner", "")) or (late.isdigit() and time.time() > int(late)):
                self.remove(container)
                removed.append(container.name)
        # The last run may have used the other engine.
        return [*removed, *docker_install.sweep(self), *cgroup.sweep(), *sweep_spaces()]

    def lacks(self, kit: str) -> str:
        from chatdev.sandbox.image import image_present
        from chatdev.sandbox.image.kits import kit_tag

        if self.config.image:
            return ""  # the person's own image: what it has shows when it is used
        there = image_present(kit_tag(kit), client=self.client)
        return "" if there else f"the image for {kit} is not built (run: chatdev sandbox build {kit})"

    def install(self, wanted: Wanted) -> Installed:
        from chatdev.sandbox import docker_install

        return docker_install.install(self, wanted)

    def settings(self, job: Job) -> dict[str, Any]:
        """Arguments of `docker create`: the walls of the box."""
        from docker.types import LogConfig, Mount, Ulimit

        c, disk = self.config, self.config.disk_bytes
        room, threads = (BROWSER_MEMORY, BROWSER_PIDS) if job.kit == WEB else (0, 0)
        deps = [Mount("/deps", job.deps, type="volume", read_only=True)] if job.deps else []
        return {
            "image": self._image(job),
            "entrypoint": [],
            "command": [PYTHON, "-I", "-c", wire.BOOTSTRAP],
            "working_dir": "/box",
            "user": "65534:65534",
            "environment": {"PATH": ENV["PATH"], "LANG": "C.UTF-8", "HOME": "/box"},
            "network_mode": "none",
            "mem_limit": c.memory_bytes + room,
            "memswap_limit": c.memory_bytes + room,
            "pids_limit": c.pids + 16 + threads,  # the supervisor, the display and their threads
            # An engine that cannot limit the processor refuses the whole container when it is asked to.
            "nano_cpus": int(c.cpus * 1e9) if limits_cpu(self.info) else None,
            "read_only": True,
            "tmpfs": {
                "/box": f"rw,exec,nosuid,nodev,size={disk},mode=1777",
                "/tmp": f"rw,exec,nosuid,nodev,size={min(disk, 64 * 1024**2)},mode=1777",
            },
            "mounts": deps,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "init": True,
            "ulimits": [
                Ulimit(name="nofile", soft=1024, hard=1024),
                Ulimit(name="fsize", soft=disk, hard=disk),
                Ulimit(name="core", soft=0, hard=0),
            ],
            "log_config": LogConfig(type="none"),
            "stdin_open": True,
            "runtime": c.runtime,
            "hostname": "box",
            "labels": {
                LABEL: self.run_id,
                "chatdev.owner": owner.mark(),
                "chatdev.deadline": str(int(time.time() + wire.deadline(job) + 3600)),
            },
        }

    def _image(self, job: Job) -> str:
        from chatdev.sandbox.image.kits import kit_tag

        return kit_tag(job.kit) if job.kit and not self.config.image else self.image

    def _why(self, container: Any, failure: str) -> tuple[str, str | None]:
        """Why a box ended before its steps did: (reason, limit)."""
        from docker.errors import APIError, NotFound

        try:
            with contextlib.suppress(APIError):
                container.kill()
            container.reload()
        except (NotFound, APIError):
            return "the container was removed from outside", None
        state = container.attrs["State"]
        if state.get("OOMKilled"):
            return "the box ran out of memory and died", "memory"
        if failure == "flood":
            return "something in the box wrote to the engine's own line without end", "output"
        if failure == "time":
            return "the box did not end in time", "time"
        if state.get("Error"):
            return f"the container did not start: {state['Error']}", None
        return f"the box died (exit {state.get('ExitCode')}){'; ' + failure if failure else ''}", None

    def remove(self, container: Any) -> None:
        """Remove a container, whatever state it is in; fine when it is gone already."""
        from docker.errors import APIError, NotFound

        try:
            container.remove(force=True, v=True)
        except NotFound:
            return
        except APIError as error:
            if error.status_code != 409:  # 409: somebody is removing it already
                raise


def not_enforced(info: Mapping[str, Any]) -> list[str]:
    """What an engine says of itself (`docker info`) that it cannot hold, one plain sentence each."""
    checks = (
        ("MemoryLimit", "memory is not limited"),
        ("SwapLimit", "swap is not counted towards memory"),
        ("PidsLimit", "the number of processes is not limited"),
    )
    missing = [text for key, text in checks if not info.get(key, True)]
    if not limits_cpu(info):
        missing.append("processor time is not limited")
    if not any("seccomp" in option for option in info.get("SecurityOptions") or []):
        missing.append("system calls are not filtered (no seccomp)")
    return [f"{text} (this Docker engine cannot)" for text in missing]


def limits_cpu(info: Mapping[str, Any]) -> bool:
    """True when the engine has what a limit on processor time takes."""
    return bool(info.get("CpuCfsQuota", True) and info.get("CpuCfsPeriod", True))


def _short(error: BaseException) -> str:
    """The heart of a nested SDK error, in one line."""
    text = str(getattr(error, "explanation", None) or error)
    for known in ("No such file or directory", "Connection refused", "Permission denied"):
        if known in text:
            return known.lower()
    return " ".join(text.split())[:200]
