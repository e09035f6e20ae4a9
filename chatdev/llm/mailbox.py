"""A folder as a model: each prompt is a file, each reply a file dropped beside it.

    003-programmer-coding.prompt.md      what the model shall answer, whole in itself
    003-programmer-coding.reply.md       the answer, written by you, your chat page or your tool

For people who use a chat page, or a tool of their own, as the model. A reply is taken when it is whole: when the file
has not changed for two seconds. Who writes slowly writes under another name and renames at the end.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

from chatdev.errors import UserError
from chatdev.llm.by_hand import ByHandModel, Page

EVERY = 0.5
"""Seconds between two looks for the reply."""
STILL = 2.0
"""Seconds that a reply must not have changed."""
LARGEST = 8_000_000
"""Bytes of one reply."""
_PROMPT = re.compile(r"^(\d{3,9})-(.+)\.prompt\.md$")


def mailbox(folder: Path, name: str, on_notice: Callable[[str], None] | None) -> ByHandModel:
    """The model of a folder, which is made when it is not there."""
    box = Mailbox(folder, on_notice or (lambda text: None))
    about = f"replies are written into {folder}"
    return ByHandModel(name, True, box.exchange, about, counted=True, ready=box.ready)


class Mailbox:
    """Posts prompts and waits for replies."""

    def __init__(self, folder: Path, on_notice: Callable[[str], None]) -> None:
        self.folder, self._on_notice = folder, on_notice

    def ready(self) -> None:
        """Make the folder.

        Raises:
            UserError: it cannot be made or written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / ".try").write_bytes(b"")
            (self.folder / ".try").unlink()
        except OSError as error:
            raise UserError(
                f"the mailbox cannot be written ({error.strerror})", where=str(self.folder), fix="Name another folder"
            ) from error

    def exchange(self, page: Page) -> str:
        """Post a prompt and wait for its reply; a prompt that lies there since an earlier life is not posted twice."""
        prompt = self._posted(label_of(page.key), page.whole)
        reply = prompt.with_name(prompt.name.replace(".prompt.md", ".reply.md"))
        self._on_notice(f"the prompt lies in {prompt}; put the reply into {reply}")
        return self._wait(reply)

    def _posted(self, label: str, text: str) -> Path:
        number, name = self._newest()
        path = self.folder / name
        # One prompt is open at a time, so only the newest can be this one.
        if name == f"{number:03d}-{label}.prompt.md" and path.read_bytes() == text.encode():
            return path
        part = self.folder / f".{os.getpid()}.part"
        part.write_bytes(text.encode())
        try:
            while True:
                number += 1
                path = self.folder / f"{number:03d}-{label}.prompt.md"
                try:
                    # Made whole and only where there is none: others may watch the folder or use it too.
                    os.link(part, path)
                except FileExistsError:
                    continue
                except OSError:  # a file system without links
                    part.replace(path)
                return path
        finally:
            part.unlink(missing_ok=True)

    def _newest(self) -> tuple[int, str]:
        found = [(int(match[1]), match[0]) for path in self.folder.iterdir() if (match := _PROMPT.match(path.name))]
        return max(found, default=(0, ""))

    def _wait(self, path: Path) -> str:
        """The text of a reply that is whole and not empty."""
        last: tuple[int, int, int] | None = None
        since = 0.0
        refused: tuple[int, int, int] | None = None
        while True:
            now = _state(path)
            if now != last:
                last, since = now, time.monotonic()
                if now is not None and time.time() - now[1] / 1e9 >= STILL:
                    since -= STILL  # it is old: it was moved here, or written while nobody looked
            if now is not None and now != refused and time.monotonic() - since >= STILL:
                with contextlib.suppress(OSError):
                    text = _read(path)
                    if text.strip():
                        return text
                    self._on_notice(f"{path} is {'empty' if now[0] == 0 else 'no text, or too large'}; still waiting")
                refused = now
            time.sleep(EVERY)


def label_of(key: str) -> str:
    """`programmer-coding` for the reply `coding/programmer/said1`."""
    step, _, rest = key.partition("/")
    role = rest.partition("/")[0]
    plain = [re.sub(r"[^A-Za-z0-9._~-]+", "-", part).strip(".-") for part in (role, step)]
    return "-".join(part for part in plain if part)[:100] or "reply"


def _state(path: Path) -> tuple[int, int, int] | None:
    """Size, time of the last change and identity of a file; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def _read(path: Path) -> str:
    """A reply as text, from whatever editor; empty when it is none or too large."""
    with path.open("rb") as file:
        raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        return ""
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return raw.decode(encoding, errors="replace").replace("\r\n", "\n").replace("\0", "")
