"""Snapshots of the streams of one product: `.chatdev/streams/`, bounded in number and size.

A snapshot is made when the model has worked on a stream for twenty times as long as writing it down will take, so it
costs a twentieth of the time at most, and what is lost without it is never more than that. The newest of each stream
is always kept; older ones, which a fork or an `undo` can start from, as long as there is room.

They only save work: the journal stays the truth, and a disk that is full for them is no reason to stop.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from chatdev.llm.base import Stream

WORTH = 20.0
"""Seconds of a model's work for one second of writing."""
MOST_FILES = 60
MOST_BYTES = 1_000_000_000
"""Of all snapshots of a product together, the newest of each stream not counted."""
_RATE = 100e6
"""Bytes a second that a disk takes, until one was measured."""
_NAME = re.compile(r"^(?P<stream>[a-z0-9_-]+\.[0-9a-f]{8})\.(?P<count>\d{6})\.(?P<print>[0-9a-f]{32})\.safetensors$")


def stream_name(role: str, where: str) -> str:
    """The part of a file's name that stands for one stream: of this role, opened at this step (or for the run)."""
    plain = re.sub(r"[^a-z0-9_-]+", "-", role.lower()) or "agent"
    return f"{plain}.{hashlib.blake2b(f'{role}/{where}'.encode(), digest_size=4).hexdigest()}"


class Snapshots:
    """The folder of one product's snapshots, and what they may cost."""

    def __init__(self, folder: Path, notice: Callable[[str], None] = lambda text: None) -> None:
        self.folder, self._notice = folder, notice
        self._rate = _RATE
        self._slowest = 0.005
        """Seconds that even the smallest took."""

    def keep(self, stream: Stream, name: str, count: int, fingerprint: str, worked: float) -> bool:
        """Write a snapshot if it is worth it; tells whether it was written.

        Args:
            count: moments the stream has lived through.
            fingerprint: of these moments (32 hex digits).
            worked: seconds the model worked on the stream since the last snapshot.
        """
        size = stream.window.bytes
        if not getattr(stream, "savable", False) or worked < WORTH * (self._slowest + size / self._rate):
            return False
        path = self.folder / f"{name}.{count:06}.{fingerprint}.safetensors"
        begun = time.monotonic()
        try:
            stream.save(path)
            self._thin_out()
        except Exception as error:  # noqa: BLE001  (a full disk, which safetensors reports in its own way, and the like)
            self._notice(f"no snapshot of a stream could be written ({' '.join(str(error).split())[:120]})")
            self._forget_older()
            return False
        took = time.monotonic() - begun
        if size < 1e6:
            self._slowest = max(0.001, took)
        else:
            self._rate = size / max(took, 1e-3)
        return True

    def of(self, name: str, fingerprints: Sequence[str]) -> list[tuple[int, Path]]:
        """The snapshots of a stream that belong to this past, the newest first.

        Args:
            fingerprints: after no moment, after the first, after the second …
        """
        found = [
            (count, path)
            for stream, count, path in self._all()
            if stream == name and count < len(fingerprints) and fingerprints[count] in path.name
        ]
        return sorted(found, reverse=True)

    def _all(self) -> list[tuple[str, int, Path]]:
        if not self.folder.is_dir():
            return []
        matches = [(_NAME.match(path.name), path) for path in self.folder.iterdir()]
        return [(match["stream"], int(match["count"]), path) for match, path in matches if match]

    def _thin_out(self) -> None:
        """Drop the oldest beyond what may be kept; the newest of each stream stays."""
        found = sorted(self._all(), key=lambda one: one[2].stat().st_mtime_ns, reverse=True)
        for torn in self.folder.glob("*.tmp"):  # left behind by a process that was killed while writing
            torn.unlink(missing_ok=True)
        newest: set[str] = set()
        files = size = 0
        for stream, _, path in found:
            if stream not in newest:
                newest.add(stream)
                continue
            files, size = files + 1, size + path.stat().st_size
            if files > MOST_FILES or size > MOST_BYTES:
                path.unlink(missing_ok=True)

    def _forget_older(self) -> None:
        """Make room on a full disk: of each stream only the newest stays."""
        newest: set[str] = set()
        for stream, _, path in sorted(self._all(), key=lambda one: one[1], reverse=True):
            if stream in newest:
                path.unlink(missing_ok=True)
            newest.add(stream)
