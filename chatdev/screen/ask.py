"""A person at the terminal: what they are shown, and how they answer.

    [Enter] approve   c comment (several lines, a single dot ends)   s stop

End of input and Ctrl-D stop the run, saved. Text that is not valid UTF-8 is taken with replacement characters.
"""

from __future__ import annotations

import sys
from typing import Any

from chatdev.chain.people import Answer, Arrived, Question
from chatdev.screen.text import safe

LONGEST = 100_000
"""Characters of one comment; what is beyond is cut, and said so."""
SHOWN = 200
"""Lines of the subject that are shown at once."""


class TerminalPerson:
    """Asks on the terminal that started the run."""

    by = "terminal"

    def __init__(self) -> None:
        self.screens: list[Any] = []
        """Live screens that have to step aside while a person types."""

    def ask(self, question: Question, arrived: Arrived) -> Answer:
        for screen in self.screens:
            getattr(screen, "pause", lambda: None)()
        try:
            return self._ask(question)
        finally:
            for screen in self.screens:
                getattr(screen, "go_on", lambda: None)()

    def passed(self, phase: str) -> None:
        """A person at a terminal knows what they answered."""

    def _ask(self, question: Question) -> Answer:
        lines = question.subject.splitlines()
        self._say(f"\n--- {question.title} [{question.step}]: please look at this")
        for line in lines[:SHOWN]:
            self._say(safe(line))
        if len(lines) > SHOWN:
            self._say(f"... {len(lines) - SHOWN} more lines; the files lie in the product's folder")
        while True:
            choice = self._line("approve [Enter], comment [c], stop [s]? ")
            if choice is None or choice.lower() in ("s", "stop"):
                return Answer("stop")
            if choice.lower() in ("", "a", "y", "yes", "approve"):
                return Answer("approve")
            if choice.lower() in ("c", "comment"):
                return Answer("comment", self._comment())
            if len(choice) > 3:
                # Somebody who simply types what is wrong has commented.
                return Answer("comment", choice[:LONGEST])

    def _comment(self) -> str:
        self._say("Your comment; a line with a single dot ends it.")
        lines: list[str] = []
        while True:
            line = self._line("")
            if line is None or line == ".":
                break
            lines.append(line)
            if sum(map(len, lines)) > LONGEST:
                self._say(f"(cut at {LONGEST:,} characters)")
                break
        return "\n".join(lines)[:LONGEST].strip() or "(no comment)"

    @staticmethod
    def _line(prompt: str) -> str | None:
        """One line from the terminal, None at the end of input."""
        sys.stdout.write(prompt)
        sys.stdout.flush()
        raw = sys.stdin.buffer.readline(LONGEST * 4)
        if not raw:
            return None
        return raw.decode("utf-8", errors="replace").rstrip("\r\n")

    @staticmethod
    def _say(text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
