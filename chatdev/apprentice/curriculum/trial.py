"""Programs of the curriculum, run in this process in milliseconds: their tests, and a talk with a terminal program.

Only for programs that the curriculum made itself; what anybody else wrote belongs into the sandbox.
"""

from __future__ import annotations

import builtins
import contextlib
import inspect
import io
import os
import signal
import sys
import tempfile
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

TALK = (
    "1", "2", "3", "y", "add", "bread", "2", "hello", "", "1 1", "2 2", "a", "d", "w", "s", "remove", "1", "start",
    "9 9", "x y", "-1", "done", "1", "0", "find", "e", "stop", "reset", "lap", "1.5", "7", "q",
)  # fmt: skip
"""Lines typed to a terminal program."""


def failing(files: Mapping[str, str], tests: Mapping[str, str], seconds: float = 5.0) -> list[str]:
    """Names of the tests that fail, with the reason; the first one begins with `import:` if nothing could be run."""
    import pytest

    found: list[str] = []
    with house(files), _limit(seconds):
        for path, text in tests.items():
            space: dict[str, Any] = {"__name__": "tests"}
            try:
                exec(compile(text, path, "exec"), space)
            except Exception as error:  # noqa: BLE001 - a seeded defect may raise anything
                return [f"import: {type(error).__name__}: {error}"]
            for name, test in list(space.items()):
                if not name.startswith("test_") or not callable(test):
                    continue
                try:
                    with tempfile.TemporaryDirectory() as folder:
                        test(**{p: Path(folder) for p in inspect.signature(test).parameters})
                except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001
                    found.append(f"{name}: {type(error).__name__}: {error}")
    return found


def talk(files: Mapping[str, str], lines: Sequence[str] = TALK, seconds: float = 5.0) -> str:
    """What a terminal program dies of while one types to it; "" when it ends well."""
    rest = iter(lines)

    def answer(prompt: object = "") -> str:
        sys.stdout.write(f"{prompt}\n")
        try:
            return next(rest)
        except StopIteration:
            raise EOFError from None

    kept = builtins.input
    with house(files), _limit(seconds), contextlib.redirect_stdout(io.StringIO()) as said:
        builtins.input = answer
        try:
            exec(compile(files["main.py"], "main.py", "exec"), {"__name__": "__main__"})
        except Exception as error:  # noqa: BLE001
            return f"{type(error).__name__}: {error}"
        finally:
            builtins.input = kept
    return "" if said.getvalue().strip() else "it prints nothing"


@contextlib.contextmanager
def house(files: Mapping[str, str]) -> Iterator[None]:
    """The modules of a program, importable, and an empty working folder, for as long as the block lasts."""
    here = Path.cwd()
    names = [name.removesuffix(".py") for name in files if name != "main.py"]
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        os.chdir(folder)
        sys.path.insert(0, folder)
        quiet, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        kept: dict[str, types.ModuleType | None] = {name: sys.modules.pop(name, None) for name in names}
        try:
            yield
        finally:
            os.chdir(here)
            sys.path.remove(folder)
            sys.dont_write_bytecode = quiet
            for name, module in kept.items():
                sys.modules.pop(name, None)
                if module is not None:
                    sys.modules[name] = module


@contextlib.contextmanager
def _limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the block after `seconds`: a defect may be an endless loop."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.2)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
