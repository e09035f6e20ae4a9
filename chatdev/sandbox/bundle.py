"""A folder of software as one tar archive in memory: what is tested is exactly what was read, and its hash says so.

Only regular files go in. Symbolic links are never followed (a link to `/` must not leak the host), version control
and caches are left behind, sizes are bounded. A remote daemon gets the same bytes as a local one, and no file mode
or owner of the host matters inside.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from dataclasses import dataclass
from pathlib import Path

from chatdev.errors import UserError

SKIP = {
    ".git", ".hg", ".svn", ".chatdev", "__pycache__", ".venv", "venv", "node_modules", ".pytest_cache", ".mypy_cache",
    ".ruff_cache", ".tox", ".idea", ".vscode",
}  # fmt: skip
MAX_FILES = 5_000
MAX_BYTES = 64 * 1024**2
MAX_DEPTH = 64


@dataclass(frozen=True)
class Bundle:
    """Files, ready to be unpacked in a box."""

    tar: bytes
    files: tuple[str, ...]
    """Relative paths with forward slashes, sorted."""
    fingerprint: str
    """sha256 over paths and contents."""
    left_out: tuple[str, ...] = ()
    """What was not taken, and why."""


def bundle_of(
    files: dict[str, bytes], executable: frozenset[str] = frozenset(), left_out: tuple[str, ...] = ()
) -> Bundle:
    """Pack files given by relative path."""
    digest, buffer = hashlib.sha256(), io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files):
            data = files[name]
            digest.update(f"{name}\0{len(data)}\0".encode("utf-8", "surrogateescape") + data)
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755 if name in executable else 0o644
            tar.addfile(info, io.BytesIO(data))
    return Bundle(buffer.getvalue(), tuple(sorted(files)), digest.hexdigest(), left_out)


def pack(folder: Path) -> Bundle:
    """Read a folder.

    Raises:
        UserError: there is no such folder, or it is larger than a product may be.
    """
    if not folder.is_dir():
        raise UserError("there is no such folder", where=str(folder))
    files: dict[str, bytes] = {}
    executable: set[str] = set()
    left_out: list[str] = []
    total = 0
    for path in _walk(folder, left_out):
        name = path.relative_to(folder).as_posix()
        data = _read(path)
        if data is None:
            left_out.append(f"{name}: not a plain file")
            continue
        total += len(data)
        if len(files) >= MAX_FILES or total > MAX_BYTES:
            raise UserError(
                f"the software has more than {MAX_FILES:,} files or {MAX_BYTES // 1024**2} MiB", where=str(folder),
                fix="Move data and build results out of the folder.",
            )  # fmt: skip
        files[name] = data
        if os.access(path, os.X_OK):
            executable.add(name)
    return bundle_of(files, frozenset(executable), tuple(left_out))


def _walk(folder: Path, left_out: list[str]) -> list[Path]:
    """Everything that may be taken, in order. Not recursive: folders can nest deeper than Python's stack."""
    found: list[Path] = []
    waiting, seen = [(folder, 0)], 0
    while waiting:
        here, depth = waiting.pop()
        seen += 1
        if depth > MAX_DEPTH or seen > MAX_FILES:
            raise UserError(
                f"the software has folders nested deeper than {MAX_DEPTH}, or more than {MAX_FILES:,} of them",
                where=str(folder), fix="Move data and build results out of the folder.",
            )  # fmt: skip
        for entry in sorted(_entries(here), key=lambda e: e.name):
            path = here / entry.name
            if entry.name in SKIP or entry.name.endswith(".pyc"):
                continue
            if entry.is_symlink():
                left_out.append(f"{path.relative_to(folder).as_posix()}: a symbolic link")
            elif entry.is_dir(follow_symlinks=False):
                waiting.append((path, depth + 1))
            else:
                found.append(path)
    return found


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as listed:
            return list(listed)
    except OSError:
        return []


def _read(path: Path) -> bytes | None:
    """The bytes of a regular file; None for links, devices and pipes (opened so that neither a link nor a pipe can
    catch us).
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if path.is_symlink():
        return None
    try:
        handle = os.open(path, flags)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        info = os.fstat(file.fileno())
        return file.read(MAX_BYTES + 1) if stat.S_ISREG(info.st_mode) else None


def contents(bundle: Bundle) -> dict[str, bytes]:
    """The files of a bundle by relative path."""
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(bundle.tar), mode="r:") as tar:
        for member in tar:
            data = tar.extractfile(member)
            if data is not None:
                found[member.name] = data.read()
    return found
