"""Stand-ins for what a rehearsal has not: window toolkits that only remember a title, and a person who types."""

from __future__ import annotations

import io
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TOOLKITS = (
    "tkinter", "tkinter.ttk", "tkinter.messagebox", "tkinter.simpledialog", "tkinter.filedialog", "tkinter.font",
    "tkinter.scrolledtext", "tkinter.colorchooser", "pygame", "pygame.locals", "pygame.font", "pygame.display",
    "pygame.time", "pygame.event", "pygame.draw", "pygame.key", "pygame.mixer",
)  # fmt: skip
TITLES = ("title", "wm_title", "set_caption")


class StillAlive(BaseException):
    """The program waits for somebody, so it lives."""


class Typed(io.TextIOBase):
    """Standard input of a program under watch: the lines that are typed, then nobody types any more."""

    def __init__(self, lines: tuple[str, ...], mark: Path) -> None:
        self._lines, self._mark, self._ends = list(lines), mark, not lines

    def readable(self) -> bool:
        return True

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        if self._lines:
            self._mark.touch()
            return self._lines.pop(0) + "\n"
        if self._ends:
            return ""
        raise StillAlive

    def read(self, size: int | None = -1, /) -> str:
        return self.readline()

    def __iter__(self) -> Iterator[str]:  # type: ignore[override]
        while line := self.readline():
            yield line


class Thing:
    """Any widget, surface, event or number: everything can be done with it, nothing comes of it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _told if name in TITLES else Thing()

    def __call__(self, *args: Any, **options: Any) -> Any:
        return Thing()

    def __getitem__(self, key: Any) -> Any:
        return Thing()

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __len__(self) -> int:
        return 0

    def __int__(self) -> int:
        return 0

    def __index__(self) -> int:
        return 0

    def __float__(self) -> float:
        return 0.0

    def __str__(self) -> str:
        return ""

    def __or__(self, other: Any) -> Any:
        return self

    def __add__(self, other: Any) -> Any:
        return other

    __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __add__

    def __lt__(self, other: Any) -> bool:
        return False

    __gt__ = __le__ = __ge__ = __lt__


_title_file: Path | None = None


def _told(*text: Any) -> Any:
    if text and _title_file is not None:
        _title_file.write_text(str(text[0]), encoding="utf-8")
    return ""


class _Module(types.ModuleType):
    """A toolkit: names in capitals are words, others are classes or functions."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in TITLES:
            return _told
        if name.isupper():
            return name.lower()
        if name.endswith(("Error", "error")):
            return type(name, (Exception,), {})
        if name[0].isupper():
            made = type(name, (Thing,), {})
            setattr(self, name, made)
            return made
        child = sys.modules.get(f"{self.__name__}.{name}")
        return child if child is not None else Thing()


def install(title_file: Path) -> None:
    """Put the stand-ins where imports find them; a window's title is written into `title_file`."""
    global _title_file
    _title_file = title_file
    for name in TOOLKITS:
        sys.modules[name] = _Module(name)
        sys.modules[name].__path__ = []
        _window_opens(sys.modules[name])


def _window_opens(module: types.ModuleType) -> None:
    """Opening a window leaves a title, even where the program gives none."""
    if module.__name__ == "tkinter":

        class Tk(Thing):
            """The window."""

            def __init__(self, *args: Any, **options: Any) -> None:
                _told("tk")

            def title(self, *text: Any) -> Any:
                """Remember the title."""
                return _told(*text)

        module.Tk = Tk  # type: ignore[attr-defined]
        module.TclError = type("TclError", (Exception,), {})  # type: ignore[attr-defined]
    if module.__name__ == "pygame.display":

        def set_mode(*args: Any, **options: Any) -> Thing:
            if _title_file is not None and not _title_file.exists():
                _told("pygame window")
            return Thing()

        module.set_mode = set_mode  # type: ignore[attr-defined]
        module.set_caption = _told  # type: ignore[attr-defined]
