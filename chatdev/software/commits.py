"""Commits as data: how a message is written, and how git's output is read back.

Nothing here runs git. Text from models is made harmless: one line stays one line, so no subject or value can pose as a
trailer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

FORMAT = "%H%n%P%n%at%n%an%n%ae%n%s%n%(trailers:only=true,unfold=true)"
"""What `read_commit` reads: one field a line, the trailers last."""
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class FileChange:
    """One file of a commit; `added` and `removed` count lines and are None for bytes that are no text."""

    path: str
    status: str
    """created, modified or deleted"""
    added: int | None
    removed: int | None


@dataclass(frozen=True)
class Commit:
    """One change of the software. `files` is filled where the commit was just made or was asked for by itself."""

    sha: str
    message: str
    """The first line."""
    author: str = ""
    email: str = ""
    date: datetime = EPOCH
    trailers: dict[str, str] = field(default_factory=dict)
    files: list[FileChange] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Symbolic links and inner repositories that were there and not committed."""


def slug(name: str) -> str:
    """A tag name for any text."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    kept = re.sub(r"\.{2,}", ".", re.sub(r"[^0-9A-Za-z._-]+", "-", plain)).strip("-._")[:80].strip("-._")
    kept = re.sub(r"-{2,}", "-", kept.removesuffix(".lock"))
    return kept or "version"


def full_message(message: str, trailers: Mapping[str, str]) -> str:
    """Subject, body and trailers; control characters out, so no name can pose as another trailer."""
    subject, _, body = message.strip().replace("\r\n", "\n").partition("\n")
    parts = [one_line(subject) or "Change", _plain(body).strip()]
    lines = [f"{re.sub(r'[^A-Za-z0-9-]', '-', key)}: {one_line(value)}" for key, value in trailers.items()]
    return "\n\n".join(part for part in (*parts, "\n".join(lines)) if part) + "\n"


def one_line(text: str) -> str:
    """Any text as one line without control characters."""
    return " ".join(_plain(text).split())


def _plain(text: str) -> str:
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs") else " " for c in text)


def identity(text: str, otherwise: str) -> str:
    """A name or address as git accepts it; `otherwise` when nothing is left of it."""
    return one_line(re.sub(r"[<>]", "", text)).strip(" .,:;\"'\\") or otherwise


def read_commit(entry: str) -> Commit:
    """Read one commit printed in `FORMAT`."""
    sha, _parents, date, author, email, subject, *rest = entry.lstrip("\n").split("\n")
    trailers = dict(line.split(": ", 1) for line in rest if ": " in line)
    return Commit(sha, subject, author, email, _moment(date), trailers)


def _moment(seconds: str) -> datetime:
    """A commit's date; imported histories hold impossible ones."""
    try:
        return datetime.fromtimestamp(int(seconds), tz=timezone.utc)
    except (ValueError, OverflowError, OSError):
        return EPOCH


def read_changes(fields: list[str]) -> list[FileChange]:
    """Read `--raw --numstat -z`: first `:modes ids X` and path in turn, then `added<TAB>removed<TAB>path`."""
    status: dict[str, str] = {}
    counts: dict[str, tuple[int | None, int | None]] = {}
    words = {"A": "created", "D": "deleted"}
    at = 0
    while at < len(fields):
        part = fields[at]
        if part.startswith(":") and at + 1 < len(fields):
            status[fields[at + 1]] = words.get(part[-1], "modified")
            at += 1
        elif part.count("\t") >= 2:
            added, removed, path = part.lstrip("\n").split("\t", 2)
            counts[path] = tuple(None if n == "-" else int(n) for n in (added, removed))  # type: ignore[assignment]
        at += 1
    return [FileChange(path, word, *counts.get(path, (None, None))) for path, word in sorted(status.items())]
