"""The house's own sentences, read from `words/`; none of them stands in Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chatdev.company.safe_yaml import plain, read_file
from chatdev.company.templates import rendered
from chatdev.data import library_root
from chatdev.errors import UserError

SHIPPED = ("default.yaml", "repository.yaml")


class Words:
    """Named templates. A company folder may override any of them in its own `words.yaml`."""

    def __init__(self, texts: dict[str, str], where: str = "") -> None:
        self._texts, self._where = texts, where

    @classmethod
    def load(cls, *overlays: Path) -> Words:
        """The shipped words, with those of `overlays` that exist put over them.

        Raises:
            UserError: a file is no mapping of texts, or names words that nobody says.
        """
        texts: dict[str, str] = {}
        shipped = [library_root() / "words" / name for name in SHIPPED]
        for path in (*shipped, *(path for path in overlays if path.is_file())):
            found = plain(read_file(path))
            if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
                raise UserError("words must be a mapping of names to texts", where=str(path))
            unknown = sorted(set(found) - set(texts)) if path not in shipped else []
            if unknown:
                raise UserError(f'nobody says "{unknown[0]}"', where=str(path), fix=f"Known words: {', '.join(texts)}")
            texts.update(found)
        return cls(texts, str(overlays[-1]) if overlays else str(shipped[0]))

    def say(self, which: str, /, **values: Any) -> str:
        """Render one sentence."""
        return rendered(self._texts[which], values, where=f"{self._where} ({which})")
