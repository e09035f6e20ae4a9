"""Putting a trained model into the package, so that at every moment there is a whole one."""

from __future__ import annotations

import shutil
from pathlib import Path

from chatdev.apprentice.folders import reason
from chatdev.errors import UserError

MOST = 32 * 2**20
"""Bytes that may be shipped."""


def install_weights(model: Path, target: Path) -> None:
    """Copy a trained model into the package.

    The copy is made beside the old model and takes its place when it is complete: a full disk or Ctrl-C leaves the old
    one.

    Raises:
        UserError: it is larger than what may be shipped, or the disk does not take it.
    """
    size = sum(path.stat().st_size for path in model.iterdir())
    if size > MOST:
        raise UserError(f"the model takes {size / 2**20:.1f} MB, and 32 may be shipped", where=str(model))
    fresh, old = (target.with_name(f"{target.name}.{name}") for name in ("new", "old"))
    try:
        _clean(fresh, old, target)
        shutil.copytree(model, fresh)
        _swap(fresh, old, target)
    except OSError as error:
        fix = "Mend that, then do the same again; what was installed before is still there"
        raise UserError(f"the model cannot be installed ({reason(error)})", where=str(target), fix=fix) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _clean(fresh: Path, old: Path, target: Path) -> None:
    """Take away what an earlier try left. One that was killed between its two renames left the model aside."""
    _put_back(old, target)
    for left in (fresh, old):
        if left.exists():
            shutil.rmtree(left)


def _put_back(old: Path, target: Path) -> None:
    if old.exists() and not target.exists():
        old.rename(target)


def _swap(fresh: Path, old: Path, target: Path) -> None:
    """The fresh folder takes the target's place, or everything stays."""
    try:
        if target.exists():
            target.rename(old)
        fresh.rename(target)
    except BaseException:  # Ctrl-C as well
        _put_back(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)
