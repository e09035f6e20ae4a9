"""A deterministic model that plays recorded replies: for tests, demonstrations and dry runs of a company.

It is always named as what it is. It takes no money, its token counts are estimates, and nothing it says is
made up on the spot: when no recorded reply fits, that is a `UserError` naming the script and what was heard.
The entries of a script are shared by all streams of one model, in the order of the file.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from chatdev.errors import UserError
from chatdev.llm.base import Finish, Mark, Reply, SayLimits, Usage, WindowState
from chatdev.llm.reply_text import ReplyText
from chatdev.llm.script_file import Entry, Script, read_script
from chatdev.llm.snapshot import read_snapshot, write_snapshot
from chatdev.llm.tokens import CHARS_PER_TOKEN, clean, estimate_tokens

Side = Literal["heard", "said"]
Play = tuple[int, int]
"""One use of an entry: its index in the script, and which of its times this was (from 0)."""


class ScriptedModel:
    """Plays a script.

    Args:
        script: a script, or the path of its YAML file.
        pace: tokens per second instead of the script's own; 0 says everything at once.
        name: the name as the user wrote it; `scripted:<name in the file>` unless given.
    """

    def __init__(self, script: Script | Path, *, pace: float | None = None, name: str | None = None) -> None:
        self.script = script if isinstance(script, Script) else read_script(script)
        self.name = name or f"scripted:{self.script.name}"
        self.resends = self.script.resends
        self.pace = self.script.pace if pace is None else pace
        self._used: dict[int, set[int]] = {}
        self._lock = threading.Lock()

    def open(self, head: str, *, seed: int = 0) -> ScriptedStream:
        """Open a stream; the seed changes nothing, since a script has no chance in it."""
        return ScriptedStream(self, head)

    def describe(self) -> str:
        """One line for the person: that these are recorded replies."""
        about = f" ({self.script.about.splitlines()[0]})" if self.script.about else ""
        return f"{self.name}: a script of {len(self.script.replies)} recorded replies, no model{about}"

    def close(self) -> None:
        """Nothing is held open."""

    def take(self, head: str, heard: str) -> tuple[Entry, Play]:
        """The first entry that fits and is not used up; it counts as used from now on.

        Raises:
            UserError: nothing in the script fits.
        """
        with self._lock:
            for index, entry in enumerate(self.script.replies):
                if self._left(index) and entry.answers(head, heard):
                    return entry, self._use(index)
        first = next((line.strip() for line in heard.splitlines() if line.strip()), "(nothing)")
        raise UserError(
            f"no reply left in the script that answers: {first[:160]}",
            where=str(self.script.path),
            fix="Add an entry with a matching `hears`, or use a real model",
        )

    def take_said(self, head: str, heard: str, said: str) -> Play | None:
        """Mark the entry that was played as `said`, also when a limit had cut it; None when there is none."""
        with self._lock:
            candidates = [i for i, e in enumerate(self.script.replies) if self._left(i) and _same(e.say, said)]
            fitting = [i for i in candidates if self.script.replies[i].answers(head, heard)]
            best = (fitting or candidates)[:1]
            return self._use(best[0]) if best else None

    def put_back(self, play: Play) -> None:
        """A reply that was broken off has not been said."""
        with self._lock:
            self._used[play[0]].discard(play[1])

    def mark_used(self, plays: list[Play]) -> None:
        """Take over what a restored stream had played; doing so twice is the same as once."""
        with self._lock:
            for index, nth in plays:
                self._used.setdefault(index, set()).add(nth)

    def _left(self, index: int) -> bool:
        times = self.script.replies[index].times
        return times is None or len(self._used.get(index, ())) < times

    def _use(self, index: int) -> Play:
        used = self._used.setdefault(index, set())
        nth = next(n for n in range(len(used) + 1) if n not in used)
        used.add(nth)
        return index, nth


def _same(recorded: str, said: str) -> bool:
    return recorded == said or (len(said) > 0 and clean(recorded).startswith(said))


@dataclass
class ScriptedStream:
    """One agent's conversation with a script; all of it stays in the window. Marks count messages."""

    model: ScriptedModel
    head: str
    said: list[tuple[Side, str]] = field(default_factory=list)
    plays: list[Play] = field(default_factory=list)
    _reply: Reply | None = None
    _read: int = 0
    """How many messages had been read when it last spoke."""

    @property
    def reply(self) -> Reply:
        """The last reply; LookupError before the first one."""
        if self._reply is None:
            raise LookupError("this stream has not said anything yet")
        return self._reply

    @property
    def window(self) -> WindowState:
        """Everything is held."""
        tokens = estimate_tokens(self.head) + sum(estimate_tokens(text) for _, text in self.said)
        return WindowState(held=tokens, total=tokens, notes={"script": self.model.name})

    def hear(self, text: str) -> Mark:
        """Append what was said to the agent."""
        return self._append("heard", clean(text))

    def recall(self, text: str) -> Mark:
        """Append a reply of an earlier life; its entry in the script is used up again."""
        play = self.model.take_said(self.head, self._last_heard(), clean(text))
        if play is not None:
            self.plays.append(play)
        mark = self._append("said", clean(text))
        self._read = len(self.said)
        return mark

    def say(self, limits: SayLimits) -> Iterator[str]:
        """Yield the recorded reply word by word.

        Raises:
            UserError: nothing in the script answers what was heard.
        """
        started = time.monotonic()
        entry, play = self.model.take(self.head, self._last_heard())
        text = ReplyText(limits.stop, int(limits.tokens * CHARS_PER_TOKEN))
        finish: Finish | None = None
        try:
            for piece in re.findall(r"\s*\S+\s*|\s+", entry.say):
                if self.model.pace > 0:
                    time.sleep(estimate_tokens(piece) / self.model.pace)
                if shown := text.feed(piece):
                    yield shown
                if text.ended:
                    break
            if rest := text.finish():
                yield rest
            finish = text.ended or "stop"
        finally:
            if finish is None:
                self.model.put_back(play)
        usage = self._usage(text.text, time.monotonic() - started)
        self.plays.append(play)
        mark = self._append("said", text.text)
        self._read = len(self.said)
        self._reply = Reply(text.text, finish, usage, mark)

    def holds(self, mark: Mark) -> bool:
        """True for every span of this stream: a script forgets nothing."""
        return 0 <= mark.start <= mark.end <= len(self.said)

    def fork(self) -> ScriptedStream:
        """A copy that has heard and said the same; both go on using the same script."""
        return ScriptedStream(self.model, self.head, list(self.said), list(self.plays), self._reply, self._read)

    def save(self, path: Path) -> None:
        """Write the conversation and which entries it has used."""
        write_snapshot(
            path,
            {
                "kind": "scripted",
                "script": self.model.script.name,
                "head": self.head,
                "said": self.said,
                "plays": self.plays,
                "read": self._read,
            },
        )

    def load(self, path: Path) -> bool:
        """Restore a conversation of the same script and head."""
        data = read_snapshot(path)
        if data is None or (data.get("kind"), data.get("script"), data.get("head")) != (
            "scripted",
            self.model.script.name,
            self.head,
        ):
            return False
        try:
            said: list[tuple[Side, str]] = [(_side(side), str(text)) for side, text in data["said"]]
            plays = [(int(index), int(nth)) for index, nth in data["plays"]]
            read = int(data["read"])
        except (KeyError, TypeError, ValueError):
            return False
        self.said, self.plays, self._read, self._reply = said, plays, read, None
        self.model.mark_used(plays)
        return True

    def _append(self, side: Side, text: str) -> Mark:
        self.said.append((side, text))
        return Mark(len(self.said) - 1, len(self.said))

    def _last_heard(self) -> str:
        return next((text for side, text in reversed(self.said) if side == "heard"), "")

    def _usage(self, reply: str, seconds: float) -> Usage:
        """Estimated tokens: what is new since the last reply, or everything for a script that `resends`."""
        first = 0 if self.model.resends else self._read
        prompt = sum(estimate_tokens(text) for _, text in self.said[first:])
        if first == 0:
            prompt += estimate_tokens(self.head)
        return Usage(prompt, estimate_tokens(reply), 0, estimated=True, money=0.0, seconds=seconds)


def _side(raw: object) -> Side:
    if raw == "heard":
        return "heard"
    if raw == "said":
        return "said"
    raise ValueError(f"no side of a dialogue: {raw!r}")
