"""The engine a person must ask for by name: the product runs on this machine, with this user's rights.

It gets a temporary folder as its home and an environment built from an allow-list, so no key is in it, and it is
ended with all its children; but it can read what the user can read and reach what the user can reach.
`missing_limits` says so.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from chatdev.sandbox import wire
from chatdev.sandbox.deps import Installed
from chatdev.sandbox.job import Job
from chatdev.sandbox.pipe_engine import Launch, PipeEngine
from chatdev.sandbox.requirements import Wanted

ALLOWED = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "SYSTEMROOT",
    "COMSPEC",
    "PATHEXT",
    "NUMBER_OF_PROCESSORS",
    "WINDIR",
)
"""Variables of the person's environment that a product may see."""


class HostEngine(PipeEngine):
    """No walls, only limits."""

    name = "host"

    def describe(self) -> str:
        return (
            f"host: on this machine with your own rights, {self.config.seconds:g} s; a person's choice, not a sandbox"
        )

    def missing_limits(self) -> list[str]:
        missing = [
            "the network is open (host engine)",
            "files outside the work folder can be read and written (host engine)",
            "the number of processes and processor time are not limited (host engine)",
            "tests are compared after they ran, but not kept from being written (host engine)",
        ]
        if sys.platform.startswith("linux"):
            missing.append("memory is watched and not enforced (host engine)")
        else:
            missing.append("memory is not limited (host engine)")
        return missing

    def lacks(self, kit: str) -> str:
        from chatdev.sandbox.image.kits import WEB, needs

        if kit == WEB:
            return "the host engine photographs no pages"
        missing = [name for name in needs(kit) if shutil.which(name) is None]
        return f"{', '.join(missing)} is not installed on this machine" if missing else ""

    def install(self, wanted: Wanted) -> Installed:
        return Installed(False, None, "the host engine installs nothing", unreachable=True)

    @contextlib.contextmanager
    def launch(self, space: Path, job: Job) -> Iterator[Launch]:
        own = {name: os.environ[name] for name in ALLOWED if name in os.environ}
        home, temp = space / "home", space / "tmp"
        temp.mkdir()
        product = {
            **own,
            "HOME": str(home),
            "USERPROFILE": str(home),
            "TMPDIR": str(temp),
            "TEMP": str(temp),
            "TMP": str(temp),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "PYTHONIOENCODING": "utf-8",
            "PYGAME_HIDE_SUPPORT_PROMPT": "1",
            "SDL_AUDIODRIVER": "dummy",
        }
        limits = {"RLIMIT_CORE": 0, "RLIMIT_FSIZE": self.config.disk_bytes, "RLIMIT_NOFILE": 1024}
        if sys.platform.startswith("linux"):
            limits["RLIMIT_DATA"] = self.config.memory_bytes
        yield Launch(
            [sys.executable, "-I", "-c", wire.BOOTSTRAP],
            own,
            product,
            str(space / "app"),
            own_namespace=False,
            rlimits=limits,
            watch_memory=self.config.memory_bytes,
        )
