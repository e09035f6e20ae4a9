"""The house's own sentences, read from `words/default.yaml`; none of them stands in Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from chatdev.company.templates import environment
from chatdev.data import library_root
from chatdev.errors import UserError


class Words:
    """Named templates. A company folder may override any of them in its own `words.yaml`."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._env = environment()
        self._texts = texts

    @classmethod
    def load(cls, *overlays: Path) -> Words:
        texts: dict[str, str] = {}
        for path in (library_root() / "words" / "default.yaml", *overlays):
            if path.is_file():
                found = yaml.safe_load(path.read_text(encoding="utf-8"))
                if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
                    raise UserError("words must be a mapping of names to texts", where=str(path))
                texts.update(found)
        return cls(texts)

    def say(self, which: str, /, **values: Any) -> str:
        """Render one sentence."""
        return self._env.from_string(self._texts[which]).render(**values)
