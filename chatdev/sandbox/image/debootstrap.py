"""A base image without a registry: Debian's own installer into a folder, imported into the engine.

Needs Debian or Ubuntu, root, and `debootstrap`; takes under a minute. CI and machines behind a wall use it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from chatdev.errors import UserError
from chatdev.sandbox.image import LOCAL_BASE

SUITE = "bookworm"
INCLUDE = "python3,python3-pip,ca-certificates"
LEFT_OUT = ("./var/cache/apt/*", "./var/lib/apt/lists/*", "./usr/share/doc/*", "./usr/share/man/*", "./var/log/*")


def build_base_with_debootstrap(on_line: Callable[[str], None] | None = None, mirror: str = "") -> str:
    """Make `chatdev/base:bookworm` and return that name.

    Raises:
        UserError: not root, no debootstrap, or it failed.
    """
    from chatdev.sandbox.docker_engine import connect

    tell = on_line or (lambda line: None)
    tool = shutil.which("debootstrap", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if tool is None:
        raise UserError("debootstrap is not installed", fix="Run: apt-get install debootstrap")
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        raise UserError("debootstrap needs root", fix="Run: sudo python -m chatdev.sandbox.image --base auto")
    client = connect()
    repository, _, tag = LOCAL_BASE.partition(":")
    with tempfile.TemporaryDirectory(prefix="chatdev-base-") as space:
        root = Path(space) / "root"
        command = [tool, "--variant=minbase", f"--include={INCLUDE}", SUITE, str(root), *([mirror] if mirror else [])]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as made:
            last = ""
            for line in made.stdout or ():
                last = line.rstrip()
                tell(last)
        if made.returncode:
            raise UserError(f"debootstrap failed: {last}")
        tell(f"importing {LOCAL_BASE}")
        archive = Path(space) / "base.tar"
        excluded = [f"--exclude={pattern}" for pattern in LEFT_OUT]
        subprocess.run(["tar", "-C", str(root), *excluded, "-cf", str(archive), "."], check=True)
        client.api.import_image_from_file(str(archive), repository=repository, tag=tag)
    client.close()
    return LOCAL_BASE
