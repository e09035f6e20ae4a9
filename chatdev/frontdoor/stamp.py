"""The stamp: one small file in the environment that says what it was made from.

Contract: the stamp is written last, in one rename, so an environment with a stamp was once complete, and one
without was cut short. It holds a hash of `pyproject.toml` and `constraints.txt`, the Python version, the
folder of the project and the extras. Looking at it costs a millisecond or two, because every start does it.
Non-goal: proving that nobody deleted a package since; the program's own error says that well enough.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

NAME = "setup.stamp"
LOG = "setup.log"
LOCK = "setup.lock"
SOURCES = ("pyproject.toml", "constraints.txt")
# Raised when the front door itself would now make a different environment from the same two files.
RECIPE = b"1"


class State(NamedTuple):
    """What `state` found: `ready`, or else why not in words for the user, and what to do about it."""

    reason: str
    rebuild: bool = False
    """True when the environment cannot be mended in place and is made from nothing."""
    extras: frozenset[str] = frozenset()
    """The extras that the environment has already; an update keeps them."""

    @property
    def ready(self) -> bool:
        """True when the environment may be used as it is."""
        return not self.reason


def python_of(venv: Path) -> Path:
    """The interpreter of the environment `venv`."""
    return venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"


def fingerprint(root: Path) -> str:
    """Hash of everything in the project folder that decides what gets installed, whatever its line ends."""
    digest = hashlib.sha256(RECIPE)
    for name in SOURCES:
        digest.update(b"\0" + _what_is_installed((root / name).read_bytes()))
    return digest.hexdigest()


def _what_is_installed(text: bytes) -> bytes:
    """The text without the sections that only tell linters and test runners how to work."""
    kept, keep = [], True
    for line in text.splitlines():
        if line.startswith(b"["):
            keep = not line.startswith((b"[tool.", b"[[tool.")) or line.startswith(b"[tool.hatch")
        if keep:
            kept.append(line)
    return b"\n".join(kept)


def read(venv: Path) -> dict[str, str] | None:
    """The stamp's `key=value` lines, None when there is no readable stamp."""
    try:
        text = (venv / NAME).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return dict(line.partition("=")[::2] for line in text.splitlines())


def write(root: Path, venv: Path, extras: frozenset[str], python: tuple[int, ...], made_from: str) -> None:
    """Stamp the environment as complete; the rename makes it all or nothing, also in a power cut.

    Args:
        root: the project folder.
        venv: the environment.
        extras: the package's extras that are in it.
        python: version of its Python.
        made_from: the `fingerprint` taken when the set-up began, so that an edit during it is seen next time.
    """
    lines = [
        f"fingerprint={made_from}",
        f"python={_dotted(python)}",
        f"root={root}",
        f"extras={','.join(sorted(extras))}",
    ]
    new = venv / (NAME + ".new")
    with new.open("w", encoding="utf-8", newline="\n") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(venv / NAME)


def state(root: Path, venv: Path, extras: frozenset[str], running: tuple[int, ...] | None) -> State:
    """Compare the environment with what the project folder asks for.

    Args:
        root: the project folder.
        venv: the environment.
        extras: extras of the package that must be in it.
        running: version of the interpreter when it is the environment's own, None when it is another one.
            Only from inside can one tell that an upgrade of the system changed the environment's Python.
    """
    if not (venv / "pyvenv.cfg").exists():
        return State("there is no environment yet", rebuild=True)
    if not python_of(venv).exists():
        return State("the environment has lost its Python, or was never finished", rebuild=True)
    held = read(venv)
    if held is None:
        return State("no finished set-up is on record; what is there is completed")
    has = frozenset(filter(None, held.get("extras", "").split(",")))
    if held.get("root") != str(root):
        return State("the project folder was moved", rebuild=True, extras=has)
    if running is not None and held.get("python") != _dotted(running):
        return State(f"it was made with Python {held.get('python')}, which is gone", rebuild=True, extras=has)
    if held.get("fingerprint") != fingerprint(root):
        return State("pyproject.toml or constraints.txt has changed", extras=has)
    if not extras <= has:
        return State(f"it lacks: {', '.join(sorted(extras - has))}", extras=has)
    return State("", extras=has)


def remove(venv: Path) -> None:
    """Take the stamp away before anything in the environment is changed."""
    (venv / NAME).unlink(missing_ok=True)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version[:2])
