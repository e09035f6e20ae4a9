"""The files of the software: listed, read, planned and written; never a byte outside the folder.

`plan` judges what a reply asks for without touching the disk, `apply` writes it. Each file is written atomically and
flushed to the disk; the set of them is made one step by the commit that follows (`history`), and a crash between
the two is mended by writing the same plan again. Symbolic links, special files, git's own folder, the run's folder and
what tools generate are never listed, read or written. Files that the software's own `.gitignore` names are not listed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from chatdev.software.blocks import FileBlock, ReplyBlocks
from chatdev.software.disk import TEMPORARY, UnsafePath, delete_file, obstacle, read_file, write_file
from chatdev.software.paths import GENERATED_FOLDERS, PRIVATE_FOLDERS, BadPath, collides, safe_path
from chatdev.software.problems import Problem
from chatdev.software.syntax import syntax_problem


@dataclass(frozen=True)
class WorkspaceLimits:
    """How large the software may grow by what agents write, beyond what the run was given to start from."""

    file_bytes: int = 1_000_000
    """Bytes of one file."""
    files: int = 200
    """Number of files."""
    project_bytes: int = 5_000_000
    """Bytes of all files together."""
    given_files: int = 0
    """Files that an import brought; `files` counts from there."""
    given_bytes: int = 0
    """Bytes of them together; `project_bytes` counts from there."""

    @property
    def most_files(self) -> int:
        """Files that may be there at all."""
        return self.files + self.given_files

    @property
    def most_bytes(self) -> int:
        """Bytes that may be there at all."""
        return self.project_bytes + self.given_bytes


@dataclass(frozen=True)
class FileInfo:
    """What is known of a file without showing it: bytes, sha256 in hex, and whether it is text (UTF-8 without NUL)."""

    size: int
    sha: str
    text: bool


@dataclass(frozen=True)
class Change:
    """One file that becomes different. `text` is None for a deletion and for bytes that are no text."""

    path: str
    kind: Literal["create", "modify", "delete"]
    text: str | None = None


@dataclass
class Plan:
    """What a reply would do. A file that cannot be placed is a problem and no change; one that merely does not parse
    is both: ask again first, and if that does not help, write it and let the checks say what it is worth."""

    changes: list[Change] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


class Workspace:
    """The folder of one product. Nothing is cached: programs and people may change files between any two calls."""

    def __init__(self, root: Path, limits: WorkspaceLimits | None = None) -> None:
        self.root, self.limits = Path(os.path.realpath(root)), limits or WorkspaceLimits()

    def files(self) -> dict[str, FileInfo]:
        """Every file of the software, sorted by path."""
        found = {}
        for path in self._paths():
            try:
                data = read_file(self.root, PurePosixPath(path))
            except (UnsafePath, FileNotFoundError, PermissionError):
                continue
            found[path] = FileInfo(len(data), hashlib.sha256(data).hexdigest(), _decoded(data) is not None)
        return found

    def texts(self) -> dict[str, str]:
        """The text files no larger than the limit of a file, exactly as they are, sorted by path."""
        found = {}
        for path in self._paths():
            try:
                data = read_file(self.root, PurePosixPath(path))
            except (UnsafePath, FileNotFoundError, PermissionError):
                continue
            text = _decoded(data) if len(data) <= self.limits.file_bytes else None
            if text is not None:
                found[path] = text
        return found

    def read_text(self, path: str) -> str:
        """One file, its newlines as they are.

        Raises:
            BadPath, UnsafePath, FileNotFoundError: there is no such plain file of the software.
            UnicodeDecodeError: it is not UTF-8.
        """
        return read_file(self.root, safe_path(path)).decode("utf-8")

    def plan(self, blocks: ReplyBlocks) -> Plan:
        """Judge paths, collisions, limits and syntax of what `blocks` asks for; the disk is only looked at."""
        plan = Plan(notices=list(blocks.notices))
        sizes = {path: (self.root / path).lstat().st_size for path in self._paths()}
        for written in blocks.deletes:
            self._plan_delete(written, sizes, plan)
        for block in blocks.files:
            self._plan_file(block, sizes, plan)
        return plan

    def _plan_delete(self, written: str, sizes: dict[str, int], plan: Plan) -> None:
        try:
            path = str(safe_path(written))
        except BadPath as bad:
            plan.problems.append(Problem(written, 1, f"{written!r} cannot be deleted: {bad.reason}"))
            return
        if path in sizes:
            del sizes[path]
            plan.changes.append(Change(path, "delete"))
        elif any(other.startswith(f"{path}/") for other in sizes):
            plan.problems.append(Problem(written, 1, f"{path} is a folder; name each file to delete"))
        else:
            plan.notices.append(f"{path}: asked to be deleted, but there is no such file")

    def _plan_file(self, block: FileBlock, sizes: dict[str, int], plan: Plan) -> None:
        try:
            path = str(safe_path(block.path))
        except BadPath as bad:
            reason = f"{block.path!r} cannot be a file of the software: {bad.reason}"
            plan.problems.append(Problem(block.path, block.line, reason))
            return
        gone = {change.path for change in plan.changes if change.kind == "delete"}
        reason = self._refusal(path, block.text, sizes, gone)
        if reason:
            plan.problems.append(Problem(block.path, block.line, f"{path} was not written: {reason}"))
            return
        earlier = [change for change in plan.changes if change.path == path and change.kind != "delete"]
        if earlier:
            plan.changes.remove(earlier[0])
            plan.notices.append(f"{path}: given twice; the later one was taken")
        sizes[path] = len(block.text.encode())
        old = None if path in gone else self._current(path)
        if old != block.text.encode():
            plan.changes.append(Change(path, "create" if old is None else "modify", block.text))
        if problem := syntax_problem(path, block.text):
            plan.problems.append(problem)

    def _refusal(self, path: str, text: str, sizes: dict[str, int], gone: set[str]) -> str:
        """Why a file with a good name can still not be placed, or nothing."""
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            return "it holds characters that are not valid Unicode"
        other = collides(path, (each for each in sizes if each != path))
        if other:
            return f"it collides with {other} (upper and lower case, or a file where a folder must be)"
        if (hindrance := obstacle(self.root, PurePosixPath(path))) and not self._cleared(path, gone):
            return hindrance
        if "\0" in text:
            return "it holds NUL characters"
        if PurePosixPath(path).name.lower() == ".gitattributes" and _runs_filters(text):
            return "a .gitattributes file may not name filters or drivers"
        if size > self.limits.file_bytes:
            return f"it has {size} bytes; a file may have {self.limits.file_bytes}"
        if path not in sizes and len(sizes) >= self.limits.most_files:
            return f"the software may have {self.limits.most_files} files and has them already"
        total = sum(sizes.values()) - sizes.get(path, 0) + size
        if total > self.limits.most_bytes and size > sizes.get(path, 0):
            return f"the software would have {total} bytes; it may have {self.limits.most_bytes}"
        return ""

    def _cleared(self, path: str, gone: set[str]) -> bool:
        """A file in the way (`src` where `src/` is needed, or the other way round) that the same reply deletes."""
        if any(str(parent) in gone for parent in PurePosixPath(path).parents):
            return True
        place = self.root / path
        if place.is_symlink() or not place.is_dir():
            return False
        below = [Path(here, name) for here, _, names in os.walk(place) for name in names]
        return bool(below) and all(each.relative_to(self.root).as_posix() in gone for each in below)

    def _current(self, path: str) -> bytes | None:
        try:
            return read_file(self.root, PurePosixPath(path))
        except (OSError, ValueError):
            return None

    def apply(self, plan: Plan) -> list[Change]:
        """Write a plan's changes, deletions first; returns them.

        Raises:
            UnsafePath: something on the way became a symbolic link since the plan was made.
        """
        for change in sorted(plan.changes, key=lambda each: each.kind != "delete"):
            path = safe_path(change.path)
            if change.kind == "delete":
                delete_file(self.root, path)
            else:
                write_file(self.root, path, (change.text or "").encode())
        return list(plan.changes)

    def write_bytes(self, path: str, data: bytes) -> Change | None:
        """Write a picture or other bytes under the same rules; None when the file holds them already.

        Raises:
            BadPath: the name is not allowed, collides, or a limit is exceeded.
            UnsafePath: a symbolic link is in the way.
        """
        name = str(safe_path(path))
        sizes = {each: (self.root / each).lstat().st_size for each in self._paths()}
        if reason := self._refusal(name, "", sizes, set()):
            raise BadPath(reason)
        total = sum(sizes.values()) - sizes.get(name, 0) + len(data)
        if len(data) > self.limits.file_bytes or total > self.limits.most_bytes:
            raise BadPath("it is larger than the software's limits allow")
        old = self._current(name)
        if old == data:
            return None
        write_file(self.root, PurePosixPath(name), data)
        return Change(name, "create" if old is None else "modify", _decoded(data))

    def _paths(self) -> list[str]:
        """Relative paths of plain files, sorted, without what the software's own rules ignore."""
        found = sorted(_walk(self.root, ""))
        if any(path.rsplit("/", 1)[-1] == ".gitignore" for path in found) and (self.root / ".git").is_dir():
            from chatdev.software.safegit import SafeGit

            hidden = SafeGit(self.root).ignored(found)
            found = [path for path in found if path not in hidden]
        return found


def _walk(folder: Path, prefix: str) -> Iterator[str]:
    """Plain files below `folder`, links and generated folders left out; names that are not Unicode as well."""
    try:
        entries = list(os.scandir(folder))
    except (PermissionError, FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        name = entry.name
        if any("\ud800" <= char <= "\udfff" for char in name):
            continue
        if entry.is_dir(follow_symlinks=False):
            if name.lower() not in GENERATED_FOLDERS and name.lower() not in PRIVATE_FOLDERS:
                yield from _walk(folder / name, f"{prefix}{name}/")
        elif entry.is_file(follow_symlinks=False) and not _is_debris(name):
            yield f"{prefix}{name}"


def _is_debris(name: str) -> bool:
    """A pointer of git's, compiled code, or a file that a killed run was about to put in place."""
    return name == ".git" or name.endswith((".pyc", ".pyo")) or name.startswith(TEMPORARY)


def _decoded(data: bytes) -> str | None:
    """The text of a file, or None when it is not UTF-8 or holds NUL."""
    try:
        return None if b"\0" in data else data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _runs_filters(text: str) -> bool:
    """Attributes that make git run a program of somebody's configuration."""
    words = [word for line in text.splitlines() if not line.lstrip().startswith("#") for word in line.split()[1:]]
    return any(word.split("=", 1)[0] in ("filter", "merge") for word in words) or "[attr]" in text
