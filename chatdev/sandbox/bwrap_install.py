"""The installer of the bubblewrap engine: a box with network whose only writable place is the new cache folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from chatdev.sandbox import deps
from chatdev.sandbox.deps import Installed
from chatdev.sandbox.requirements import Wanted

if TYPE_CHECKING:
    from chatdev.sandbox.bwrap_engine import BubblewrapEngine

NETWORK_ETC = ("resolv.conf", "hosts", "ssl", "ca-certificates", "nsswitch.conf", "gai.conf")
"""The parts of /etc that finding and trusting a package index takes."""


def cache_folder() -> Path:
    """Where installed dependencies are kept: $XDG_CACHE_HOME/chatdev/deps, for root /var/cache/chatdev/deps.

    Root's boxes run as a user that nobody is, who cannot look below /root.
    """
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/cache/chatdev/deps")
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "chatdev" / "deps"


def install(engine: BubblewrapEngine, wanted: Wanted) -> Installed:
    """Fill (or find) the folder for these lines; it gets its name only when it is complete."""
    python = Path("/usr/bin/python3").resolve()
    place = cache_folder() / deps.key(wanted, str(python))
    if place.is_dir():
        return Installed(True, str(place), f"installed earlier: {', '.join(wanted.install)}")
    place.parent.mkdir(parents=True, exist_ok=True)
    # Half-filled folders lie in a box's folder, which the sweep removes when its maker is dead.
    with engine.space() as space:
        target = space / "deps"
        target.mkdir()
        for folder in (space, target):
            folder.chmod(0o777)
        done = subprocess.run(
            engine.installer(target), input=deps.order(wanted, "/deps", "/deps/.space"), capture_output=True,
            timeout=deps.SECONDS + 60, check=False, cwd="/",
        )  # fmt: skip
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        result = deps.verdict(done.returncode, said, str(place), wanted)
        if result.ok:
            _keep(target, place)
    return result


def _keep(target: Path, place: Path) -> None:
    """Copy the filled folder next to its place and rename it; another run may have been faster."""
    staging = Path(tempfile.mkdtemp(prefix="new-", dir=place.parent))
    shutil.copytree(target, staging / "deps", symlinks=True, ignore=shutil.ignore_patterns(".space"))
    for path in (staging / "deps").rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    (staging / "deps").chmod(0o755)
    try:
        (staging / "deps").rename(place)
    except OSError:
        pass
    finally:
        shutil.rmtree(staging, ignore_errors=True)
