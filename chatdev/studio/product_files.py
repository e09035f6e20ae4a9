"""A product's files for the page, read from git and never from the working tree: no link, no path outside.

git runs as it always does here (`software.safegit`): whatever the repository's own files say, it starts no program.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from chatdev.errors import UserError
from chatdev.software.safegit import SafeGit
from chatdev.studio.paint import paint, read_patch

MOST_FILES = 5_000
LARGEST = 1_000_000
"""Bytes of one file that are shown."""
MOST_EDITED = 30
LARGEST_PATCH = 4_000_000


def commit(root: Path, sha: str) -> dict[str, Any]:
    """Who changed what in one commit, as coloured patches."""
    if not re.fullmatch(r"[0-9a-f]{7,64}", sha):
        raise UserError("there is no such commit")
    git = SafeGit(root)
    wanted = ("show", "--format=%H%n%an%n%at%n%s", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")
    done = git.run(*wanted, "--end-of-options", sha, "--", ok=(0, 128))
    if done.returncode:
        raise UserError("there is no such commit")
    text = done.stdout[:LARGEST_PATCH].decode("utf-8", "replace")
    full, author, date, subject, _, patch = [*text.split("\n", 5), "", ""][:6]
    return {
        "sha": full,
        "author": author,
        "at": int(date) if date.isdigit() else 0,
        "message": subject,
        "files": read_patch(patch),
        "cut": len(done.stdout) > LARGEST_PATCH,
    }


def tree(root: Path) -> dict[str, Any]:
    """The paths of the newest commit with their sizes."""
    git = SafeGit(root)
    done = git.run("ls-tree", "-r", "-z", "-l", "HEAD", ok=(0, 128))
    if done.returncode:
        return {"files": []}
    files = []
    for entry in done.stdout.decode("utf-8", "replace").split("\0")[:MOST_FILES]:
        head, _, path = entry.partition("\t")
        size = head.split()[3:4]
        if path and size and size[0].isdigit():
            files.append({"path": path, "size": int(size[0])})
    return {"files": files}


def file(root: Path, path: str) -> dict[str, Any]:
    """The newest committed text of a file, coloured. A path is looked up in the commit, not on the disk."""
    known = {one["path"]: one["size"] for one in tree(root)["files"]}
    if path not in known:
        raise UserError("there is no such file")
    if known[path] > LARGEST:
        return {"path": path, "binary": True, "size": known[path], "lines": []}
    data = SafeGit(root).run("cat-file", "blob", f"HEAD:{path}").stdout
    if b"\0" in data:
        return {"path": path, "binary": True, "size": len(data), "lines": []}
    text = data.decode("utf-8", "replace")
    return {"path": path, "binary": False, "size": len(data), "lines": paint(path, text.removesuffix("\n"))}


def texts(root: Path, paths: list[str]) -> dict[str, str]:
    """The newest committed text of some files, for a person to edit; what is no text or too large is left out."""
    known = {one["path"]: one["size"] for one in tree(root)["files"]}
    found: dict[str, str] = {}
    for path in paths[:MOST_EDITED]:
        if known.get(path, LARGEST) >= LARGEST:
            continue
        data = SafeGit(root).run("cat-file", "blob", f"HEAD:{path}").stdout
        try:
            found[path] = data.decode("utf-8")
        except UnicodeDecodeError:
            continue
    return found
