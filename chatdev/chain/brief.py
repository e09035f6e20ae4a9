"""The brief: what the run knows, outside every model's memory.

A stream forgets what it evicts, so facts live here as named artifacts (`task`, `modality`, `review`, …), each with a
version made from its text. A phase says which it reads and which it writes. The files of the product are one artifact
of many items, `files/<path>`, so that one changed file does not make the others new again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from chatdev.run.journal import Journal


def version_of(text: str) -> str:
    """A short name for exactly this text."""
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()[:12]


def version_of_bytes(data: bytes) -> str:
    """The same for any file."""
    return hashlib.sha256(data).hexdigest()[:12]


@dataclass(frozen=True)
class Item:
    """One thing that can be shown to an agent."""

    name: str
    text: str

    @property
    def version(self) -> str:
        return version_of(self.text)


class Brief:
    """The named artifacts of one run; every writing is an event of the journal."""

    def __init__(self, journal: Journal, given: dict[str, str]) -> None:
        """`given` are the artifacts that exist from the start (task, background, gui …); they are not journaled."""
        self._journal = journal
        self._texts = dict(given)

    def write(self, key: str, name: str, text: str, by: str) -> None:
        """Set an artifact; on a resumed run the recorded text is taken instead."""
        event = self._journal.once(
            "artifact", key, lambda: {"name": name, "text": text, "by": by, "version": version_of(text)}
        )
        self._texts[name] = event["text"]

    def text(self, name: str) -> str:
        """The artifact's text, empty when nobody wrote it yet."""
        return self._texts.get(name, "")

    def has(self, name: str) -> bool:
        return bool(self._texts.get(name))
