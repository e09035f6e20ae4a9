"""Running pip, and any other tool of the set-up, so that a person can follow it.

Contract: `run` streams a command's output to the log and a digest of it to the screen, and returns its status
and last lines. The user's own pip configuration (proxies, indexes, certificates) applies as it is.
"""

from __future__ import annotations

import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import NamedTuple

from chatdev.frontdoor.digest import Digest
from chatdev.frontdoor.progress import Progress
from chatdev.frontdoor.stamp import python_of

TAIL = 20
TICK_SECONDS = 0.5


class Outcome(NamedTuple):
    """How a command ended."""

    status: int
    tail: list[str]
    """Its last lines, at most `TAIL`."""


def pip(venv: Path, arguments: list[str], progress: Progress, lock: int | None, cwd: Path) -> Outcome:
    """Run `pip install` of the environment `venv` in the folder `cwd`; it inherits `lock`."""
    command = [str(python_of(venv)), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    command += ["--no-compile"]  # Python compiles what it loads; most of PyTorch is never loaded
    if _pip_version(venv) >= (24, 1):
        command += ["--progress-bar", "raw"]  # "Progress 1024 of 4096" lines, made for programs to read
    else:
        command += ["--progress-bar", "off"]
    return run([*command, *arguments], progress, lock, cwd, Digest(site_packages(venv), "starting pip"))


def run(command: list[str], progress: Progress, lock: int | None, cwd: Path, digest: Digest) -> Outcome:
    """Run `command` to its end, showing what it is busy with."""
    progress.record("$ " + " ".join(command))
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1", "PIP_USER": "0"}
    environment.pop("PYTHONHOME", None)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # the environment is ours, and starts sooner compiled
    child = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        pass_fds=(lock,) if lock is not None and os.name == "posix" else (),
    )
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_pump, args=(child, lines), daemon=True).start()
    tail: deque[str] = deque(maxlen=TAIL)
    try:
        while True:
            try:
                line = lines.get(timeout=TICK_SECONDS)
            except queue.Empty:
                progress.busy(digest.text)
                continue
            if line is None:
                return Outcome(child.wait(), list(tail))
            if not digest.read(line):
                progress.record(line)
                tail.append(line)
            progress.busy(digest.text)
    finally:
        _end(child)


def _pump(child: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    for line in child.stdout or ():
        if line.strip():
            lines.put(line.rstrip())
    lines.put(None)


def _end(child: subprocess.Popen[str]) -> None:
    """After Ctrl-C: give it a moment to stop by itself, it has heard the same Ctrl-C."""
    if child.poll() is None:
        try:
            child.wait(timeout=3)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def site_packages(venv: Path) -> Path | None:
    """Where the environment keeps its packages; None while there is no such folder."""
    if os.name == "nt":
        found = venv / "Lib" / "site-packages"
        return found if found.is_dir() else None
    return next(iter(sorted(venv.glob("lib/python3*/site-packages"))), None)


def drop_torn(venv: Path) -> list[str]:
    """Forget packages whose installation was cut short, so that pip installs them anew; returns their names.

    pip writes a package's RECORD last. One without it may lack anything, yet pip would call it satisfied.
    """
    site, torn = site_packages(venv), list[str]()
    for folder in sorted(site.iterdir()) if site else ():
        unfinished = folder.name.endswith(".dist-info") and not (folder / "RECORD").exists()
        if folder.is_dir() and (unfinished or folder.name.startswith("~")):
            shutil.rmtree(folder)
            torn.append(folder.name)
    return torn


def is_root() -> bool:
    """True for the superuser of a POSIX system."""
    return sys.platform != "win32" and os.geteuid() == 0


def _pip_version(venv: Path) -> tuple[int, ...]:
    site = site_packages(venv)
    found = [info.name for info in site.glob("pip-*.dist-info")] if site else []
    return tuple(int(part) for part in re.findall(r"\d+", found[0])[:2]) if found else (0,)
