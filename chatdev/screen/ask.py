"""A person at the terminal: what they are shown, and how they answer.

    [Enter] approve   c comment   e edit   r reject   k skip   s stop   d don't ask again   m more

A comment has several lines; a line with a single dot ends it. End of input and Ctrl-D stop the run, saved. Letters are
heard as well: whichever answer is there first counts.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from chatdev.chain.people import Answer, Arrived, Question
from chatdev.errors import UserError
from chatdev.screen.editor import edit_files, edit_text
from chatdev.screen.keyboard import LONGEST, Keyboard, LineEditor
from chatdev.screen.text import rung_text, safe

SHOWN = 200
"""Lines of the subject that are shown at once."""
ECHOED = 2000
"""Characters of one entry that are shown while it is typed; a paste beyond that is taken all the same."""
EVERY = 0.3
"""Seconds between two looks for a letter."""
KEYS = {
    "a": "approve",
    "y": "approve",
    "yes": "approve",
    "c": "comment",
    "e": "edit",
    "r": "reject",
    "k": "skip",
    "s": "stop",
    "d": "always",
}
LABELS = {
    "approve": "approve [Enter]",
    "comment": "comment [c]",
    "edit": "edit [e]",
    "reject": "reject [r]",
    "skip": "skip [k]",
    "stop": "stop [s]",
    "always": "don't ask again [d]",
}
DIFF = {"+": "green", "-": "red", "@": "cyan", "d": "bold"}


class Taken(Exception):
    """An answer came by letter while the person was typing."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__()


class TerminalPerson:
    """Asks on the terminal that started the run."""

    by = "terminal"

    def __init__(self, out: TextIO | None = None, keyboard: Keyboard | None = None) -> None:
        self.out = out or sys.stdout
        self.keyboard = keyboard or Keyboard()
        self.screens: list[Any] = []
        """Live screens that have to step aside while a person types."""
        self.busy = False
        """The person is being asked right now."""
        self._console = Console(file=self.out, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def passed(self, phase: str) -> None:
        """A person at a terminal knows what they answered."""

    def ask(self, question: Question, arrived: Arrived) -> Answer:
        """Show the question and wait for the answer, typed or by letter."""
        with self.alone():
            try:
                if question.about == "question":
                    return self._reply(question, arrived)
                self._show(question)
                return self._decide(question, arrived)
            except Taken as taken:
                self.say("")
                return taken.answer
            except OSError:  # the terminal is gone
                return Answer("stop")

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Have the terminal for oneself."""
        for screen in self.screens:
            screen.pause()
        self.busy = True
        try:
            with self.keyboard.open():
                yield
        finally:
            self.busy = False
            with contextlib.suppress(OSError):
                for screen in self.screens:
                    screen.go_on()

    def _show(self, question: Question) -> None:
        self.say(f"\n--- {question.title} [{question.step}]: please look at this", "bold")
        self._more(question, 0)
        # Nearest to where the person types: a diff may be longer than the screen.
        if question.reasons:
            self.say("reasons:", "bold")
            for line in question.reasons.strip().splitlines()[:SHOWN]:
                self.say(f"  {safe(line)}")
        for line in evidence_lines(question.evidence):
            self.say(line, "bold")

    def _more(self, question: Question, start: int) -> int:
        """Print the subject from a line on; returns the first line that was not."""
        lines = question.subject.splitlines() or ["(nothing)" if question.about == "artifact" else "(no file changed)"]
        if start >= len(lines):
            self.say("That was all of it.", "dim")
        for line in lines[start : start + SHOWN]:
            self.say(safe(line), DIFF.get(line[:1], "") if question.about == "diff" else "")
        rest = len(lines) - start - SHOWN
        if rest > 0:
            self.say(f"... {rest} more lines [m]; the files lie in the product's folder", "dim")
        return start + SHOWN

    def _decide(self, question: Question, arrived: Arrived) -> Answer:
        prompt = ", ".join(LABELS[choice] for choice in question.choices) + "? "
        seen = SHOWN
        while True:
            typed = self.line(prompt, arrived)
            if typed is None:
                return Answer("stop")
            word = typed.strip().lower()
            if word in ("m", "more"):
                seen = self._more(question, seen)
                continue
            kind = KEYS.get(word or "a", word)
            if kind not in question.choices:
                if len(word) > 3 and "comment" in question.choices:
                    # Somebody who simply types what is wrong has commented.
                    return Answer("comment", typed.strip())
                self.say("Please answer with one of the letters.")
                continue
            answer = self._completed(kind, question, arrived)
            if answer is not None:
                return answer

    def _completed(self, kind: str, question: Question, arrived: Arrived) -> Answer | None:
        """The answer with what belongs to it; None when the person thought better of it."""
        if kind == "comment":
            text = self.text("Your comment; a line with a single dot ends it.", arrived)
            return Answer("comment", text) if text else None
        if kind == "reject":
            return Answer("reject", (self.line("Why (one line, or nothing)? ", arrived) or "").strip())
        if kind == "always":
            every = self.line("Never again in this run [r], or only not about this phase [Enter]? ", arrived) or ""
            return Answer("always", "run" if every.strip().lower() in ("r", "run") else "phase")
        if kind == "edit":
            return self._edited(question)
        return Answer(kind)  # type: ignore[arg-type]

    def _edited(self, question: Question) -> Answer | None:
        try:
            with self.keyboard.lent():
                if question.about == "artifact":
                    return Answer("edit", edit_text(question.subject))
                assert question.folder is not None
                edit_files(question.folder, question.files)
        except UserError as error:
            self.say(f"{error}", "yellow")
            return None
        return Answer("edit")

    def _reply(self, question: Question, arrived: Arrived) -> Answer:
        """An answer in words."""
        self.say(f"\n--- {question.title} [{question.step}]", "bold")
        for line in question.subject.splitlines():
            self.say(safe(line))
        others = "".join(f", {LABELS[choice]}" for choice in question.choices if choice in ("skip", "stop"))
        hint = f"Your answer; a line with a single dot ends it. Alone on the first line: edit [e]{others}."
        while True:
            text = self.text(hint, arrived, alone=("e", "k", "s"))
            if text is None or text == "s":
                return Answer("stop")
            if text == "e":
                try:
                    with self.keyboard.lent():
                        text = edit_text("").strip()
                except UserError as error:
                    self.say(f"{error}", "yellow")
                    continue
            if text == "k" and "skip" in question.choices:
                return Answer("skip")
            if text:
                return Answer("comment", text)

    def text(self, hint: str, arrived: Arrived, alone: tuple[str, ...] = ()) -> str | None:
        """Several lines, ended by a single dot or the end of input; None when there was nothing but that end.

        `alone` are entries that end it at once where they are the first.
        """
        self.say(hint)
        lines: list[str] = []
        size = 0
        while True:
            line = self.line("", arrived)
            if line is None and not lines:
                return None
            if line is None or line == ".":
                break
            if not lines and line.strip() in alone:
                return line.strip()
            if size < LONGEST:
                lines.append(line[: LONGEST - size])
            size += len(line) + 1
        if size > LONGEST:
            self.say(f"(cut at {LONGEST:,} characters)", "yellow")
        return "\n".join(lines).strip()

    def line(self, prompt: str, arrived: Arrived = lambda: None) -> str | None:
        """One entry, None at the end of input. Raises Taken when an answer comes by letter."""
        editor, shown = LineEditor(), ""
        self._write(prompt)
        while True:
            try:
                keys = self.keyboard.keys(EVERY)
            except KeyboardInterrupt:
                self._write("\n")
                raise
            if keys is None:
                self._write("\n")
                return editor.text or None
            complete, entry, self.keyboard.held = editor.feed(keys)
            now = safe((entry or "")[:ECHOED] if complete else editor.beginning(ECHOED))
            self._echo(shown, now)
            shown = now
            if complete:
                self._write("\n")
                if editor.cut:
                    self.say(f"(cut at {LONGEST:,} characters)", "yellow")
                return entry
            if not keys and (answer := arrived()) is not None:
                raise Taken(answer)

    def _echo(self, before: str, now: str) -> None:
        if now.startswith(before):
            self._write(now[len(before) :])
        else:
            kept = len(next((before[:n] for n in range(len(before), -1, -1) if now.startswith(before[:n])), ""))
            gone = cell_len(before[kept:])
            self._write("\b" * gone + " " * gone + "\b" * gone + now[kept:])

    def say(self, text: str, style: str = "") -> None:
        """Print a line; text of models has to be made safe before."""
        self._console.print(Text(text, style=style))

    def _write(self, text: str) -> None:
        self.out.write(text)
        self.out.flush()


def evidence_lines(evidence: dict[str, Any] | None) -> list[str]:
    """The newest verdict in words."""
    if evidence is None:
        return []
    when = "" if evidence["current"] else " (before the newest changes)"
    lines = [f"checks: {evidence['verdict']}{when}, {safe(evidence['reason'])}"]
    return lines + ([f"  {rung_text(evidence['rung'])}"] if evidence["rung"] else [])
