"""A real environment that costs seconds, not minutes.

It is made by `python -m venv` like the true one, and sees the libraries of the running one through a `.pth`
file, so pip finds the big ones satisfied. pip itself, the stamp, the lock and `run.py` are the real ones.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BASE = getattr(sys, "_base_executable", sys.executable)


def make_venv(folder: Path, pip: bool) -> Path:
    """A virtual environment in `folder` that sees the libraries of the running one."""
    subprocess.run([BASE, "-m", "venv", *([] if pip else ["--without-pip"]), str(folder)], check=True)
    site = next(folder.glob("[Ll]ib*/**/site-packages"))
    (site / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
    return folder


def environment(venv: Path | None, **more: str) -> dict[str, str]:
    """The environment variables for `run.py` with its environment in `venv`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CHATDEV_")}
    return {**kept, **({"CHATDEV_VENV": str(venv)} if venv else {}), **more}


@pytest.fixture
def run_py() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `run.py` with the base Python, as a person outside any environment would."""

    def run(*arguments: str, venv: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BASE, str(ROOT / "run.py"), *arguments],
            env=environment(venv, **more),
            capture_output=True,
            encoding="utf-8",
            timeout=240,
            check=False,
        )

    return run
