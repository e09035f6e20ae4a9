"""Starting from what exists: a folder of files, or a git repository with its history.

The source belongs to a stranger as far as git is concerned: no git command ever runs in it and none of its
configuration is read. Its commits are taken by reading its object files (git's alternate object store, then a repack
into ours), its branch by reading two small files. The working tree is copied file by file: sub-folders and changes
that were never committed included; symbolic links, special files and ignored files left out.
"""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from chatdev.errors import UserError
from chatdev.software.disk import write_file
from chatdev.software.paths import GENERATED_FOLDERS, PRIVATE_FOLDERS
from chatdev.software.safegit import GitFailed

if TYPE_CHECKING:
    from chatdev.software.history import History

MOST_FILES = 5_000
"""Files taken from a source; more is a data folder or a mistake."""
MOST_BYTES = 100_000_000
"""Bytes of them together."""
_SHA = re.compile(r"^[0-9a-f]{40}([0-9a-f]{24})?$")
_REF = re.compile(r"^refs/[\w./+@-]+$")
_NAMED = 10
"""Links that a notice names."""
_LINE_BYTES = 8_000
"""Read of a file of git's that holds one line."""


def import_into(history: History, source: Path, date: datetime) -> int:
    """Copy `source` into the product of `history`, with its commits if it is a repository, and commit the rest.

    The last commit is `Start from NAME`, made only when the working tree differs from the newest commit. Tags of
    the source become `imported/…`. May be repeated after a crash.

    Returns:
        The number of files.

    A `.git` that leads nowhere and a HEAD that names nothing are no repository: the files are copied, and a notice of
    `history.git` says so.

    Raises:
        UserError: no such folder, too large, or a file or repository that cannot be read.
    """
    if not source.is_dir():
        raise UserError("there is no such folder to start from", where=str(source))
    source = Path(os.path.realpath(source))
    target = Path(os.path.realpath(history.root))
    if target == source or (source in target.parents and _is_listed(source, target)):
        raise UserError("the product would lie inside the folder it starts from", where=str(source), fix="Give --out.")
    history.init()
    try:
        folder = _git_folder(source, history.git.notices)
        if folder is not None:
            _take_history(history, source, folder)
        files = _checked_out(history) if folder == source else _copy(history, source)
    except PermissionError as error:
        place = str(error.filename or source)
        raise UserError("it cannot be read", where=place, fix="Make it readable, or start from a copy.") from None
    history.commit(f"Start from {source.name}", "ChatDev", "chatdev@chatdev.invalid", {"Phase": "import"}, date)
    return files


def _is_listed(source: Path, target: Path) -> bool:
    """Would the walk of `source` come to `target`? Not when it lies in a folder that is skipped."""
    return not any(part in GENERATED_FOLDERS | PRIVATE_FOLDERS for part in target.relative_to(source).parts)


def _git_folder(source: Path, notices: list[str]) -> Path | None:
    """The git directory of a source: `.git`, what a `.git` file points to, or the folder itself when it is bare."""
    inner = source / ".git"
    if inner.is_file() and not inner.is_symlink():
        pointed = _place(source, _line(inner).removeprefix("gitdir:").strip())
        if pointed is None:
            notices.append(f"{source.name}/.git points to no repository: the files were taken without a history")
            return None
        inner = pointed
    if (inner / "HEAD").is_file():
        return inner
    if all((source / name).exists() for name in ("HEAD", "objects", "refs", "config")):
        return source
    return None


def _line(path: Path) -> str:
    """What a small file of git's says; bytes that are no UTF-8 are replaced."""
    with path.open("rb") as stream:
        return stream.read(_LINE_BYTES).decode("utf-8", "replace").strip()


def _place(base: Path, written: str) -> Path | None:
    """The folder that `written` leads to from `base`; None when it is no path at all, or nothing is there."""
    try:
        found = Path(os.path.realpath(base / written))
        return found if written and found.is_dir() else None
    except (OSError, ValueError):  # a NUL, or longer than a path may be
        return None


def _take_history(history: History, source: Path, folder: Path) -> None:
    """Bring the commits behind the source's HEAD and its tags into our object store."""
    shared: Path | None = folder
    if (folder / "commondir").is_file():
        shared = _place(folder, _line(folder / "commondir"))
    head = _line(folder / "HEAD")
    name = head.removeprefix("ref:").strip() if head.startswith("ref:") else ""
    if shared is None or not (_SHA.match(head) or _REF.match(name)):
        what = "its git folder leads nowhere" if shared is None else "its HEAD names neither a branch nor a commit"
        history.git.notices.append(f"{source.name}: {what}; the files were taken without a history")
        return
    refs = _refs(shared)
    sha = refs.get(name, "") if name else head
    if not _SHA.match(sha):
        return  # a repository without a commit: its files are copied like a folder's
    git = history.git
    if (shared / "shallow").is_file():
        (git.folder / "shallow").write_bytes((shared / "shallow").read_bytes())
    quoted = str(shared / "objects").replace("\\", "\\\\").replace('"', '\\"')
    with_source = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{quoted}"'}
    try:
        git.run("update-ref", "refs/heads/main", sha, variables=with_source)
        for name, tagged in refs.items():
            if name.startswith("refs/tags/"):
                kept = f"refs/tags/imported/{name.removeprefix('refs/tags/')}"
                git.run("update-ref", kept, tagged, variables=with_source)
        git.run("repack", "-a", "-d", "-q", variables=with_source)
        git.run("rev-list", "--objects", "--quiet", "--all")
        git.run("read-tree", "HEAD")
        _forget_submodules(history)
    except GitFailed as error:
        raise UserError(
            f"the history of this repository cannot be read ({str(error).splitlines()[-1]})",
            where=str(source),
            fix="Start from a full clone of it, or from a copy without .git.",
        ) from error


def _forget_submodules(history: History) -> None:
    """Take links to other repositories out of the index: their files, where they are there, are copied as files."""
    entries = history.git.text("ls-files", "--stage", "-z").split("\0")
    linked = [entry.split("\t", 1)[1] for entry in entries if entry.startswith("160000 ")]
    if linked:
        history.git.run("update-index", "--force-remove", "-z", "--stdin", stdin="\0".join(linked) + "\0")


def _refs(shared: Path) -> dict[str, str]:
    """Branches and tags by full name: packed ones first, then one file each."""
    found: dict[str, str] = {}
    packed = shared / "packed-refs"
    if packed.is_file():
        for line in packed.read_text(encoding="utf-8", errors="replace").splitlines():
            sha, _, name = line.partition(" ")
            if _SHA.match(sha) and _REF.match(name):
                found[name] = sha
    for kind in ("heads", "tags"):
        top = shared / "refs" / kind
        for here, _, names in os.walk(top):
            for each in names:
                path = Path(here, each)
                sha = _line(path)[:64] if path.is_file() else ""
                name = f"refs/{kind}/{path.relative_to(top).as_posix()}"
                if _SHA.match(sha) and _REF.match(name):
                    found[name] = sha
    return found


def _checked_out(history: History) -> int:
    """The working tree of a bare source: what its newest commit holds."""
    if history.head() is None:
        return 0
    history.git.run("read-tree", "--reset", "-u", "HEAD")
    return history.git.text("ls-files", "-z").count("\0")


def _copy(history: History, source: Path) -> int:
    """Copy the files of the working tree, links and ignored ones left out; returns how many."""
    found, links = _plain_files(source)
    if links:
        more = f" and {len(links) - _NAMED} more" if len(links) > _NAMED else ""
        history.git.notices.append(f"symbolic links were left out: {', '.join(sorted(links)[:_NAMED])}{more}")
    ignored = history.git.ignored(found, tree=source)
    # A tracked file is part of the software even where a rule would ignore it.
    tracked = set(history.git.text("ls-files", "-z").split("\0"))
    wanted = [path for path in found if path not in ignored or path in tracked]
    total = sum((source / path).lstat().st_size for path in wanted)
    if len(wanted) > MOST_FILES or total > MOST_BYTES:
        raise UserError(
            f"it holds {len(wanted)} files, {total} bytes; at most {MOST_FILES} files, {MOST_BYTES} bytes are taken",
            where=str(source),
            fix="Name a smaller folder, or let .gitignore name what is not source.",
        )
    for path in wanted:
        origin = source / path
        write_file(history.root, PurePosixPath(path), origin.read_bytes())
        if origin.stat().st_mode & 0o100:
            (history.root / path).chmod(0o755)
    return len(wanted)


def _plain_files(source: Path) -> tuple[list[str], list[str]]:
    """All files of a folder that are none of version control's and no product of a tool, and its symbolic links."""
    skipped = GENERATED_FOLDERS | PRIVATE_FOLDERS
    found: list[str] = []
    links: list[str] = []
    for here, folders, names in os.walk(source, followlinks=False):
        folders[:] = sorted(name for name in folders if name.lower() not in skipped)
        links += [Path(here, name).relative_to(source).as_posix() for name in folders if Path(here, name).is_symlink()]
        for name in sorted(names):
            path = Path(here, name)
            if path.is_symlink():
                links.append(path.relative_to(source).as_posix())
                continue
            if not path.is_file() or name == ".git" or name.endswith((".pyc", ".pyo")):
                continue
            found.append(path.relative_to(source).as_posix())
        if len(found) > 20 * MOST_FILES:
            break
    return found, links
