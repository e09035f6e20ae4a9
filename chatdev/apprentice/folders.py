"""Folders that a person names for the apprentice's tools: looked at before anything is loaded or written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from chatdev.errors import UserError


def room_for(folder: Path) -> None:
    """Check that a folder is there or can be made; nothing is made yet.

    Raises:
        UserError: a file stands in its place or on the way to it, or no disk could have it.
    """
    try:
        found = next(one for one in (folder, *folder.absolute().parents) if _there(one))
    except (OSError, ValueError) as error:
        raise UserError(f"this folder cannot be used ({reason(error)})", where=str(folder)[:80]) from error
    if not found.is_dir():
        raise UserError("this is a file, and a folder is needed there", where=str(found), fix="Name another with --out")


def _there(path: Path) -> bool:
    """Whether a path is there; other than `exists`, it raises the same errors in every release of Python."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def check_model(folder: Path) -> None:
    """Check that a trained model lies in a folder, as far as that is quickly seen.

    Raises:
        UserError: a part of it is missing or damaged.
    """
    weights = sorted(folder.glob("*.safetensors"))
    for name, there in (
        ("config.json", (folder / "config.json").is_file()),
        ("tokenizer.json", (folder / "tokenizer.json").is_file()),
        ("model.safetensors", bool(weights)),
    ):
        if not there:
            fix = "Name the folder of a trained model, such as runs/full/model"
            raise UserError(f"there is no {name} in it", where=str(folder), fix=fix)
    for path in (folder / "config.json", folder / "tokenizer.json"):
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from error
    for path in weights:
        _check_weights(path)


def _check_weights(path: Path) -> None:
    """Read what stands at the beginning: it says how long the file is to be."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np"):
            pass
    except (SafetensorError, OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> UserError:
    fix = "Copy the model again, or name another folder"
    return UserError(f"this file cannot be read ({reason(error)})", where=str(path), fix=fix)


def reason(error: Exception) -> str:
    """What went wrong with a file, in one line."""
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        text = str(error.args[0][0][-1])  # copying a folder collects a reason for every file
    else:
        text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return " ".join(text.split())[:160]
