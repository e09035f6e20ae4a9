"""A dialogue as messages: how it is kept, sent, and written to a snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chatdev.llm.snapshot import read_snapshot, write_snapshot


@dataclass(frozen=True)
class Message:
    """One turn."""

    role: Literal["system", "user", "assistant"]
    text: str


def to_wire(head: str, messages: Sequence[Message], *, system_role: bool) -> list[dict[str, str]]:
    """Messages as endpoints want them: turns of one side joined, since many templates demand that."""
    wire = [{"role": "system" if system_role else "user", "content": head}]
    for message in messages:
        if wire[-1]["role"] == message.role:
            wire[-1]["content"] += "\n\n" + message.text
        else:
            wire.append({"role": message.role, "content": message.text})
    return wire


def write_messages(path: Path, head: str, messages: Sequence[Message], start: int) -> None:
    """Write a dialogue; `start` is the first message that is still in the window."""
    said = [[message.role, message.text] for message in messages]
    write_snapshot(path, {"kind": "messages", "head": head, "messages": said, "start": start})


def read_messages(path: Path, head: str) -> tuple[list[Message], int] | None:
    """Messages and start of a dialogue with this head; None when there is none."""
    data = read_snapshot(path)
    if data is None or (data.get("kind"), data.get("head")) != ("messages", head):
        return None
    raw, start = data.get("messages"), data.get("start")
    if not isinstance(raw, list) or not isinstance(start, int) or not 0 <= start <= len(raw):
        return None
    messages = []
    for item in raw:
        if not isinstance(item, list) or len(item) != 2 or not isinstance(item[1], str):
            return None
        if item[0] not in ("user", "assistant"):
            return None
        messages.append(Message(item[0], item[1]))
    return messages, start
