"""The person's own editor: `$VISUAL` or `$EDITOR`, on files of the product or on a text."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from chatdev.errors import UserError

USUAL = ("sensible-editor", "nano", "vim", "vi", "notepad")


def command(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The editor's words.

    Raises:
        UserError: there is none, or the one that was named is not there.
    """
    for name in ("VISUAL", "EDITOR"):
        text = environment.get(name, "").strip()
        if not text:
            continue
        try:
            words = shlex.split(text, posix=os.name != "nt")
        except ValueError as error:
            raise UserError(f"cannot be read ({error})", where=name, fix="Example: export EDITOR=nano") from error
        if shutil.which(words[0]) is None:
            raise UserError(f'there is no editor "{words[0]}"', where=name, fix="Example: export EDITOR=nano")
        return words
    found = next((name for name in USUAL if shutil.which(name)), None)
    if found is None:
        raise UserError("there is no editor", fix="Example: export EDITOR=nano")
    return [found]


def edit_files(folder: Path, paths: Sequence[str]) -> None:
    """Open files of a folder in the editor and wait for its end.

    Raises:
        UserError: there is no editor, or it failed.
    """
    # No name can be taken for an option, and no link is followed out of the folder.
    plain = [path for path in paths if not (folder / path).is_symlink()]
    _run([*command(), *(os.path.join(".", path) for path in plain)], folder)  # noqa: PTH118


def edit_text(text: str, ending: str = ".md") -> str:
    """Let the person edit a text; bytes that are no UTF-8 come back as replacement characters.

    A text without a line break at its end has none afterwards either, though an editor puts one there.

    Raises:
        UserError: there is no editor, or it failed.
    """
    with tempfile.TemporaryDirectory(prefix="chatdev-edit-") as folder:
        path = Path(folder, f"text{ending}")
        whole = text.endswith("\n") or not text
        path.write_text(text if whole else f"{text}\n", encoding="utf-8", errors="replace", newline="")
        _run([*command(), str(path)], Path(folder))
        edited = path.read_bytes().decode("utf-8", errors="replace").replace("\r\n", "\n")
        return edited if whole else edited.removesuffix("\n")


def _run(words: list[str], folder: Path) -> None:
    # Ctrl-C in the editor is the editor's. A handler that does nothing is not inherited, unlike "ignore".
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        done = subprocess.run(words, cwd=folder, check=False)
    except OSError as error:
        raise UserError(f"the editor did not start ({error.strerror})", where=words[0]) from error
    finally:
        signal.signal(signal.SIGINT, before)
    if done.returncode:
        raise UserError(f"the editor ended with status {done.returncode}; nothing was taken", where=words[0])
