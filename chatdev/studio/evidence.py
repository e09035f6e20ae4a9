"""Files of evidence, served as what they are allowed to be: PNG pictures and plain text.

Programs wrote them, so a name is looked up in the folder's own listing, no link is followed, and a picture that does
not begin like a PNG is none.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

LARGEST = 8_000_000
"""Bytes of one file that are served."""
TEXTS = (".txt", ".log", ".xml", ".json")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._~-]{0,120}")
PNG = b"\x89PNG\r\n\x1a\n"


def read_evidence(folder: Path, step: str, name: str) -> tuple[bytes, str] | None:
    """The bytes and the media type of one file; None where there is nothing that may be served."""
    if not _NAME.fullmatch(step) or not _NAME.fullmatch(name) or folder.is_symlink() or (folder / step).is_symlink():
        return None
    kind = "image/png" if name.endswith(".png") else "text/plain; charset=utf-8" if name.endswith(TEXTS) else ""
    if not kind:
        return None
    try:
        handle = os.open(
            folder / step / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        )
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST and kind != "image/png":
        data = data[:LARGEST] + b"\n[cut]\n"
    if kind == "image/png" and (len(data) > LARGEST or not data.startswith(PNG)):
        return None
    return data, kind


def newest_picture(folder: Path) -> tuple[str, str] | None:
    """Step and name of the newest screenshot, for the list of products."""
    found: list[tuple[float, str, str]] = []
    try:
        for step in sorted(folder.iterdir())[:200]:
            if step.is_symlink() or not step.is_dir():
                continue
            for name in ("screen-3-keys.png", "screen-2-half-a-second.png", "screen-1-start.png"):
                if (step / name).is_file() and _NAME.fullmatch(step.name):
                    found.append(((step / name).stat().st_mtime, step.name, name))
                    break
    except OSError:
        return None
    return max(found)[1:] if found else None
