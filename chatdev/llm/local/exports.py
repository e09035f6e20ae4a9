"""What the models of transformers export, remembered beside the libraries.

At every import transformers reads two thousand files of its models for the names they export, and once more for
`transformers.models`: the longest single thing between a command and the first word. `remembered` lets it read them
once for an environment and a release.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

READER = "transformers.utils.import_utils"
LOOK = "create_import_structure_from_path"
Exports = dict[Any, Any]
"""Folders, modules and sets of names that a module needs, in each other; at the bottom sets of exported names."""


@contextmanager
def remembered() -> Iterator[None]:
    """While this lasts, transformers may be imported for the first time."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder:
    """Finds the module that reads the files, and puts a memory before it."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name == READER else None
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = partial(_run, spec.loader.exec_module)  # type: ignore[method-assign]
        return spec


def _run(execute: Callable[[ModuleType], None], module: ModuleType) -> None:
    execute(module)
    look: Callable[[Any], Exports] | None = getattr(module, LOOK, None)
    if look is not None:
        setattr(module, LOOK, Memory(look, Path(sys.prefix) / "chatdev-exports.json"))


class Memory:
    """`look(folder)`, kept in a file where this is an environment of its own.

    Args:
        look: reads what a folder of modules exports; it calls what stands under its own name for folders within.
        path: where it is kept; written if it can be.
    """

    def __init__(self, look: Callable[[Any], Exports], path: Path) -> None:
        self.look, self.path = look, path
        self._inside = False
        self._known: dict[str, list[Any]] = {}

    def __call__(self, folder: str | Path) -> Exports:
        at = Path(folder).parent if Path(folder).is_file() else Path(folder)
        if self._inside or at.name != "models":
            return self.look(at)
        release = f"{at} {at.stat().st_mtime_ns}"
        if release not in self._known:
            self._known[release] = self._read(release) or self._find(at, release)
        exports: Exports = _thawed(self._known[release])
        return exports

    def _read(self, release: str) -> list[Any] | None:
        """What the file knows of this release."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            first, _, rest = self.path.read_text(encoding="utf-8").partition("\n")
            if first == release:
                saved = json.loads(rest)
                return saved if isinstance(_thawed(saved), dict) else None
        return None

    def _find(self, at: Path, release: str) -> list[Any]:
        self._inside = True
        try:
            found: list[Any] = _frozen(self.look(at))
        finally:
            self._inside = False
        if sys.prefix != sys.base_prefix:  # the system's own Python is not ours to write into
            part = self.path.with_suffix(f".{os.getpid()}")
            with suppress(OSError):
                part.write_text(f"{release}\n{json.dumps(found)}", encoding="utf-8")
                part.replace(self.path)
        return found


def _frozen(exports: Any) -> Any:
    """Dictionaries as lists of pairs, sets as lists behind a mark."""
    if isinstance(exports, dict):
        return [[sorted(key) if isinstance(key, frozenset) else key, _frozen(value)] for key, value in exports.items()]
    return {"names": sorted(exports)}


def _thawed(saved: Any) -> Any:
    if isinstance(saved, list):
        return {frozenset(key) if isinstance(key, list) else key: _thawed(value) for key, value in saved}
    return set(saved["names"])
