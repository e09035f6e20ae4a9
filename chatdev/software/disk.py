"""Reading and writing inside one folder without ever following a symbolic link out of it.

Programs that ran in the folder may have left links behind (`out -> /`); whoever writes `out/x` by name would leave
the folder. Where the system allows (Linux, macOS) every folder on the way is opened by descriptor with `O_NOFOLLOW`, so
that a link put there in the last moment is refused as well. On Windows each component is looked at with `lstat` first.

Writing is atomic a file: a temporary file beside the target, fsync, rename. Nothing here judges names: see `paths`.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_BY_DESCRIPTOR = hasattr(os, "O_NOFOLLOW") and {os.open, os.mkdir, os.rename, os.unlink, os.stat} <= os.supports_dir_fd
"""`os.replace` takes descriptors wherever `os.rename` does, but is not listed itself."""
TEMPORARY = ".chatdev-new-"
"""How the name of a file begins that is being written."""


class UnsafePath(OSError):
    """A symbolic link or a special file stands where a folder or a plain file was expected."""


def write_file(root: Path, path: PurePosixPath, data: bytes) -> None:
    """Make `root/path` hold `data`, creating folders; the old file's permission to be executed is kept.

    Raises:
        UnsafePath: a parent or the target itself is a symbolic link or not a plain file.
    """
    with _parent(root, path, create=True) as parent:
        mode = _mode_at(parent, path.name)
        if mode is not None and not stat.S_ISREG(mode):
            raise UnsafePath(f"{path}: not a plain file")
        new = f"{TEMPORARY}{os.getpid()}-{os.urandom(4).hex()}"
        handle = os.open(_at(parent, new), _flags(os.O_WRONLY | os.O_CREAT | os.O_EXCL), 0o666, dir_fd=_fd(parent))
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
                if mode is not None and mode & 0o111 and hasattr(os, "fchmod"):
                    os.fchmod(out.fileno(), stat.S_IMODE(mode) & 0o777)
            os.replace(_at(parent, new), _at(parent, path.name), src_dir_fd=_fd(parent), dst_dir_fd=_fd(parent))
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(_at(parent, new), dir_fd=_fd(parent))
            raise
        if isinstance(parent, int):
            os.fsync(parent)


def read_file(root: Path, path: PurePosixPath) -> bytes:
    """Return the bytes of a plain file.

    Raises:
        UnsafePath: it, or a folder on the way, is a symbolic link or something special.
        FileNotFoundError: there is none.
    """
    with _parent(root, path, create=False) as parent:
        mode = _mode_at(parent, path.name)
        if mode is None:
            raise FileNotFoundError(str(path))
        if not stat.S_ISREG(mode):
            raise UnsafePath(f"{path}: not a plain file")
        # Without O_NONBLOCK a named pipe put here in the last moment would block us for ever.
        flags = _flags(os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(os.open(_at(parent, path.name), flags, dir_fd=_fd(parent)), "rb") as source:
            if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
                raise UnsafePath(f"{path}: not a plain file")
            return source.read()


def delete_file(root: Path, path: PurePosixPath) -> None:
    """Remove a plain file, and the folders it leaves empty.

    Raises:
        UnsafePath, FileNotFoundError: as for `read_file`.
    """
    with _parent(root, path, create=False) as parent:
        mode = _mode_at(parent, path.name)
        if mode is None:
            raise FileNotFoundError(str(path))
        if not stat.S_ISREG(mode):
            raise UnsafePath(f"{path}: not a plain file")
        os.unlink(_at(parent, path.name), dir_fd=_fd(parent))
    folder = path.parent
    while folder.parts:
        with _parent(root, folder, create=False) as parent:
            try:
                os.rmdir(_at(parent, folder.name), dir_fd=_fd(parent))
            except OSError:
                return
        folder = folder.parent


def obstacle(root: Path, path: PurePosixPath) -> str:
    """Say what on the disk forbids writing `path` (a link, a folder in its place …); empty when nothing does."""
    for parent in reversed(path.parents[:-1]):
        mode = _lmode(root / parent)
        if mode is None:
            return ""
        if stat.S_ISLNK(mode):
            return f"its folder {parent} is a symbolic link"
        if not stat.S_ISDIR(mode):
            return f"{parent} is a file, not a folder"
    mode = _lmode(root / path)
    if mode is None or stat.S_ISREG(mode):
        return ""
    if stat.S_ISDIR(mode):
        return "there is a folder of that name"
    return "it is a symbolic link" if stat.S_ISLNK(mode) else "it is not a plain file"


def _lmode(path: Path) -> int | None:
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


@contextlib.contextmanager
def _parent(root: Path, path: PurePosixPath, *, create: bool) -> Iterator[int | Path]:
    """The folder of `path`: an open descriptor where the system has them, else a checked `Path`."""
    if not _BY_DESCRIPTOR:
        yield _checked_parent(root, path, create=create)
        return
    flags = os.O_RDONLY | os.O_DIRECTORY | getattr(os, "O_CLOEXEC", 0)
    here = os.open(root, flags)
    try:
        for name in path.parent.parts:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=here)
            try:
                below = os.open(name, flags | os.O_NOFOLLOW, dir_fd=here)
            except FileNotFoundError:
                raise
            except OSError as error:
                raise UnsafePath(f"{path}: its folder {name} is not a plain folder") from error
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


def _checked_parent(root: Path, path: PurePosixPath, *, create: bool) -> Path:
    here = root
    for name in path.parent.parts:
        here = here / name
        mode = _lmode(here)
        if mode is None:
            if not create:
                raise FileNotFoundError(str(path))
            here.mkdir()
        elif not stat.S_ISDIR(mode) or os.path.realpath(here) != str(here):  # a junction is a directory to lstat
            raise UnsafePath(f"{path}: its folder {name} is not a plain folder")
    return here


def _at(parent: int | Path, name: str) -> str:
    return name if isinstance(parent, int) else str(parent / name)


def _fd(parent: int | Path) -> int | None:
    return parent if isinstance(parent, int) else None


def _flags(flags: int) -> int:
    return flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def _mode_at(parent: int | Path, name: str) -> int | None:
    try:
        return os.stat(_at(parent, name), dir_fd=_fd(parent), follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
