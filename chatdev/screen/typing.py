"""Speaking while agents work: a line at the foot of the live screen, and Ctrl-C.

What is typed becomes a letter in the run's inbox (see `run.inbox`), so it is not lost when the run is killed before the
agent heard it. Ctrl-C once pauses at the next word and asks; twice stops the run.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from chatdev.run.inbox import Inbox
from chatdev.screen.keyboard import LONGEST, Keyboard, LineEditor

if TYPE_CHECKING:
    from chatdev.screen.ask import TerminalPerson
    from chatdev.screen.live import LiveScreen

EVERY = 0.2
"""Seconds after which the thread that reads looks whether it shall end."""
SHOWN = 1000
"""Characters of what is being typed that the screen is given."""
PASTE_ON, PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"
_TO = re.compile(r"@([A-Za-z0-9_-]+)[\s,:]+", re.ASCII)


class Speech:
    """Takes what a person types to the agents."""

    def __init__(self, inbox: Inbox, titles: Mapping[str, str]) -> None:
        """`titles` are the roles that can be spoken to."""
        self._inbox, self._titles = inbox, titles

    def send(self, typed: str) -> str:
        """Send an entry, `@role text` or text for whoever works next; returns what to tell the person."""
        found = _TO.match(typed.strip() + " ")
        to = found[1].lower() if found else ""
        text = typed.strip()[found.end() :].strip() if found else typed.strip()
        if to and to != "all" and to not in self._titles:
            return f'there is no "{to}" here; there are {", ".join(self._titles)} and all'
        if not text:
            return ""
        self._inbox.put({"kind": "message", "to": to, "text": text})
        who = "everybody" if to == "all" else self._titles.get(to, "whoever works next")
        return f"{who} will hear it at the next turn"


class Typing:
    """Reads the keyboard while the live screen is on."""

    def __init__(self, keyboard: Keyboard, screen: LiveScreen, speech: Speech) -> None:
        self._keyboard, self._screen, self._speech = keyboard, screen, speech
        self._editor = LineEditor()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._mode: Any = None

    def go_on(self) -> None:
        """Begin to read."""
        self._mode = self._keyboard.open()
        self._mode.__enter__()
        self._screen.raw(PASTE_ON)
        self._over.clear()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """Leave the keyboard to somebody else; what was typed so far stays."""
        if self._thread is None:
            return
        self._over.set()
        self._thread.join()
        self._thread = None
        self._screen.raw(PASTE_OFF)
        self._mode.__exit__(None, None, None)

    close = pause

    def _read(self) -> None:
        while not self._over.is_set():
            keys = self._keyboard.keys(EVERY)
            if keys is None:
                return
            while keys:
                complete, entry, keys = self._editor.feed(keys)
                if complete and entry:
                    told = self._speech.send(entry)
                    cut = f"; cut at {LONGEST:,} characters" if self._editor.cut else ""
                    self._screen.note(f"You: {entry.strip()[:400]}" + (f"   ({told}{cut})" if told else ""))
            self._screen.typed = self._editor.end(SHOWN)


class Pause:
    """What Ctrl-C does where a person is at the terminal."""

    def __init__(self, person: TerminalPerson, speech: Speech, hint: Callable[[str], None]) -> None:
        """`hint` shows one line at once, also in the middle of anything."""
        self._person, self._speech, self._hint = person, speech, hint
        self._wanted = False

    def signalled(self, number: int, frame: object) -> None:
        """The handler of SIGINT.

        Raises:
            KeyboardInterrupt: it is the second time, or the person is being asked anyway.
        """
        if self._wanted or self._person.busy:
            raise KeyboardInterrupt
        self._wanted = True
        self._hint("pausing at the next word; Ctrl-C again stops")

    def rest(self) -> float:
        """Between two events: ask, if a pause is wanted; returns the seconds it took.

        Raises:
            KeyboardInterrupt: the person stops the run.
        """
        if not self._wanted:
            return 0.0
        begun = time.monotonic()
        try:
            with self._person.alone():
                self._ask()
        finally:
            self._wanted = False
            self._hint("")
        return time.monotonic() - begun

    def _ask(self) -> None:
        self._person.say("\n--- paused", "bold")
        while True:
            typed = self._person.line("message (@role text), go on [Enter], stop [s]? ")
            word = (typed or "").strip()
            if typed is None or word.lower() in ("s", "stop"):
                raise KeyboardInterrupt
            if word.lower() in ("", "g", "go on"):
                return
            told = self._speech.send(word)
            if told:
                self._person.say(f"({told})", "dim")


def at_terminal() -> bool:
    """Whether somebody sits here who sees what is printed and can type."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
