"""Which file names the company may write: one strict rule for Linux, macOS and Windows alike.

`safe_path` turns a name chosen by a model into a relative POSIX path or refuses it with the reason. A path that
passes here means the same file on all three systems, cannot leave the folder it is joined to, and cannot reach
git's own files. Symbolic links are not this module's matter: `workspace` checks them on the disk.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import PurePosixPath

COMPONENT_BYTES = 120
"""Longest file or folder name, in UTF-8 bytes (ext4, APFS and NTFS allow 255; temporary names need room)."""
PATH_BYTES = 240
"""Longest relative path, in UTF-8 bytes (Windows stops at 260 characters for the whole path by default)."""

GENERATED_FOLDERS = frozenset(
    {
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
        ".tox",
        ".venv",
        "node_modules",
    }
)
"""Folders that tools make; they are no part of the software: never written, listed or copied."""
PRIVATE_FOLDERS = frozenset({".git", ".chatdev"})
"""Folders of the version control and of the run; never written, listed or copied."""

_RESERVED = re.compile(r"^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])$")
_SHORT_NAME = re.compile(r"^[^.]{1,6}~[0-9]+(\.[^.]{0,3})?$")
_ENCODED = re.compile(r"%(2e|2f|5c|00)", re.IGNORECASE)
_DRIVE = re.compile(r"^[A-Za-z]:")
_FORBIDDEN = frozenset('<>:"|?*')


class BadPath(ValueError):
    """A name that no file of the software may have; `reason` says why in one clause."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def safe_path(text: str) -> PurePosixPath:
    """Return `text` as a relative path that is safe to write, in Unicode NFC.

    Normalised: `a\\b` to `a/b`, a leading or inner `./`, doubled slashes, decomposed accents.

    Raises:
        BadPath: for everything else that is not plainly a file inside the software (see `_check_component`).
    """
    _check_characters(text)
    if _DRIVE.match(text):
        raise BadPath("it names a drive")
    if text.startswith(("\\\\", "//")):
        raise BadPath("it names a network share")
    if text.startswith(("/", "\\")):
        raise BadPath("it is absolute; paths are relative to the software's folder")
    if _ENCODED.search(text):
        raise BadPath("it holds percent-encoded dots or slashes")
    parts = [p for p in unicodedata.normalize("NFC", text).replace("\\", "/").split("/") if p not in ("", ".")]
    if not parts or text.endswith(("/", "\\")):
        raise BadPath("it names no file")
    if parts[0].startswith("~"):
        raise BadPath("it names a home folder")
    for part in parts:
        _check_component(part)
    if parts[-1].casefold().endswith((".pyc", ".pyo")):
        raise BadPath("it is compiled code")
    if len("/".join(parts).encode()) > PATH_BYTES:
        raise BadPath(f"it is longer than {PATH_BYTES} bytes")
    return PurePosixPath(*parts)


def _check_characters(text: str) -> None:
    for char in text:
        category = unicodedata.category(char)
        if category == "Cc" or category in ("Zl", "Zp"):
            raise BadPath("it holds a control character")
        if category == "Cf":
            raise BadPath(f"it holds an invisible character (U+{ord(char):04X})")
        if category == "Cs":
            raise BadPath("it is not valid Unicode")
        if category == "Zs" and char != " ":
            raise BadPath(f"it holds an unusual space (U+{ord(char):04X})")
        if char in _FORBIDDEN:
            raise BadPath(f"it holds {char!r}, which Windows forbids in names")


def _check_component(part: str) -> None:
    """Refuse one name of the path. Names are compared as the most forgiving file system would."""
    plain = unicodedata.normalize("NFKC", part).casefold()
    if set(plain) == {"."}:
        raise BadPath("it leaves the software's folder with '..'")
    bare = plain.rstrip(". ")
    if bare == ".git" or re.fullmatch(r"git~[0-9]+", bare):
        raise BadPath("it lies in git's own folder")
    if bare == ".gitmodules":
        raise BadPath("submodules are not allowed")
    if bare == ".chatdev":
        raise BadPath("it lies in the run's own folder")
    if part != part.strip(" ") or part.endswith("."):
        raise BadPath("a name in it begins or ends with a space, or ends with a dot")
    if part.startswith("-"):
        raise BadPath("a name in it begins with a hyphen and would be read as an option")
    if _RESERVED.match(plain.split(".", 1)[0].rstrip(" ")):
        raise BadPath(f"{part!r} is a device name on Windows")
    if _SHORT_NAME.match(plain):
        raise BadPath(f"{part!r} has the form of a Windows short name")
    if plain in GENERATED_FOLDERS:
        raise BadPath(f"{part!r} is a folder that tools generate")
    if len(part.encode()) > COMPONENT_BYTES:
        raise BadPath(f"a name in it is longer than {COMPONENT_BYTES} bytes")


@lru_cache(maxsize=20_000)
def path_key(name: str) -> str:
    """The spelling two names share when a case-insensitive file system takes them for one."""
    return (
        name.lower() if name.isascii() else unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())
    )


def collides(path: str | PurePosixPath, existing: Iterable[str]) -> str | None:
    """Return the existing path that cannot stand beside `path` on every system, or None.

    Two paths collide when they, or folders on the way, differ only in upper and lower case, or when one is a file
    where the other needs a folder. The very same path does not collide with itself.
    """
    parts = str(path).split("/")
    keys = [path_key(part) for part in parts]
    for other in existing:
        if other == str(path):
            continue
        theirs = other.split("/")
        for at, (ours, its) in enumerate(zip(parts, theirs, strict=False)):
            if ours == its:
                if at + 1 == min(len(parts), len(theirs)) < max(len(parts), len(theirs)):
                    return other  # one of them is a file where the other needs a folder
                continue
            if keys[at] == path_key(its):
                return other
            break
    return None
