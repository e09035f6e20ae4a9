"""A model that knows the answers: it plays a lesson's program in the place of a language model.

The company runs as it always does; what every role says comes from the lesson and its course. Which phase speaks is
read from the journal, so prompts may be worded in any way. What the oracle says on purpose wrongly (the code with a
fault, the review that overlooks it) is noted in `flawed`, because nobody shall learn from it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from chatdev.apprentice.course import Course
from chatdev.apprentice.slots import agreed, read_unknown
from chatdev.llm.base import Mark, Reply, SayLimits, Usage, WindowState
from chatdev.llm.tokens import clean, estimate_tokens
from chatdev.run.journal import Event

if TYPE_CHECKING:
    from chatdev.apprentice.curriculum import Lesson

UNKNOWN = "<INFO> Unknown"
UNKNOWN_REPLIES = (
    "This is none of the programs I have learned to build.",
    "I have not learned to build such a program.",
    "I cannot do this well: it is outside of what I was taught.",
)
CODING = ("The program, file by file.", "The files of the program.", "Here is the whole program.")
MENDING = ("Mended, as the review says.", "The review is right; this is the file without the fault.", "Done.")
REPAIRING = ("The fault is mended.", "Repaired as the summary says.", "This is the file without the fault.")
TESTING = (
    "The tests follow the task.",
    "What the task promises, as tests.",
    "The rules can be tested without a window.",
)
THIRD_PARTY = ("pygame",)


class Oracle:
    """Answers for one lesson, in one run of a company.

    Args:
        lesson: the right program and the task it belongs to; None for a task that nobody taught.
        course: what goes wrong.
        seed: chooses among equal wordings.
    """

    resends = False

    def __init__(self, lesson: Lesson | None, course: Course, seed: int = 0, name: str = "oracle:lesson") -> None:
        self.name, self.lesson, self.course = name, lesson, course
        self.task = lesson.task if lesson is not None else ""
        self.flawed: list[str] = []
        """Texts of replies that are wrong on purpose."""
        self.wrong: dict[str, str] = {}
        """Files that hold the fault now, as they are."""
        self._rng = random.Random(f"{seed}/wording")
        self._phase = ""
        self._reviews = 0

    def read(self, event: Event) -> None:
        """A reader of the run's journal: whoever is told something in a phase answers in that phase."""
        if event.kind == "told":
            self._phase = event["phase"]

    def open(self, head: str, *, seed: int = 0) -> OracleStream:
        """Open a stream."""
        return OracleStream(self)

    @property
    def doubtful(self) -> bool:
        """Whether the files may be wrong, so that only a climb of the ladder can tell."""
        return bool(self.wrong)

    def describe(self) -> str:
        """One line for the person."""
        return f"{self.name}: answers are looked up, nothing is generated"

    def close(self) -> None:
        """Nothing is held open."""

    @property
    def phase(self) -> str:
        """The phase that is asking now."""
        return self._phase

    def answer(self) -> str:
        """The reply of the phase that is asking now."""
        if self.course.unknown or self.lesson is None:
            return f"{read_unknown(self.task)}\n\n{self._rng.choice(UNKNOWN_REPLIES)}\n\n{UNKNOWN}\n"
        say = {
            "demand_analysis": self._demand,
            "language_choose": self._language,
            "coding": self._coding,
            "code_review": self._review,
            "code_modification": lambda: self._mend(MENDING),
            "test_writing": self._tests,
            "error_summary": self._summary,
            "test_modification": lambda: self._mend(REPAIRING),
            "environment_doc": self._requirements,
            "manual": self._manual,
        }.get(self._phase)
        if say is None:
            raise LookupError(f'the oracle has no answer in the phase "{self._phase}"')
        return say()

    def answer_in(self, phase: str) -> str:
        """The reply of any phase, without a company that asks."""
        self._phase = phase
        return self.answer()

    def _demand(self) -> str:
        assert self.lesson is not None
        program = self.lesson.program
        return f"{agreed(self.lesson)}\n{program.reason}\n\n<INFO> {program.modality}\n"

    def _language(self) -> str:
        assert self.lesson is not None
        return f"{self.lesson.program.language_reason}\n\n<INFO> Python\n"

    def _coding(self) -> str:
        assert self.lesson is not None
        program = self.lesson.program
        files = self._faulty(program.files)
        order = sorted(files, key=lambda path: (path != "main.py", path))
        text = f"{program.plan.strip()}\n\n{_blocks({path: files[path] for path in order})}"
        return self._said(text, flawed=files != program.files)

    def _review(self) -> str:
        self._reviews += 1
        fault = self.course.fault
        if fault is not None and self.course.reviewed and self._reviews == 1:
            return f"{fault.review.strip()}\n"
        return self._said("<INFO> Finished\n", flawed=bool(self.wrong))

    def _mend(self, openings: tuple[str, ...]) -> str:
        """The whole file without the fault."""
        assert self.lesson is not None
        program = self.lesson.program
        whole = {**program.files, **program.tests}
        paths = list(self.wrong) or [next(iter(program.files))]
        self.wrong = {}
        return f"{self._rng.choice(openings)}\n\n{_blocks({path: whole[path] for path in paths})}"

    def _tests(self) -> str:
        assert self.lesson is not None
        program = self.lesson.program
        tests = self._faulty(program.tests)
        return self._said(f"{self._rng.choice(TESTING)}\n\n{_blocks(tests)}", flawed=tests != program.tests)

    def _summary(self) -> str:
        fault = self.course.fault
        return f"{fault.summary.strip() if fault else 'The report names no fault.'}\n"

    def _requirements(self) -> str:
        assert self.lesson is not None
        sources = "\n".join(self.lesson.program.files.values())
        wanted = [name for name in THIRD_PARTY if f"import {name}" in sources]
        if not wanted:
            return "<INFO> Nothing to install\n"
        return _blocks({"requirements.txt": "\n".join(wanted) + "\n"})

    def _manual(self) -> str:
        assert self.lesson is not None
        return _blocks({"manual.md": self.lesson.program.manual})

    def _faulty(self, files: dict[str, str]) -> dict[str, str]:
        """The files with the fault in them, where the course has one there."""
        fault = self.course.fault
        if fault is None or fault.path not in files:
            return dict(files)
        bad = files[fault.path].replace(fault.good, fault.bad, 1)
        self.wrong[fault.path] = bad
        return {**files, fault.path: bad}

    def _said(self, text: str, *, flawed: bool) -> str:
        if flawed:
            self.flawed.append(text)
        return text


def _blocks(files: dict[str, str]) -> str:
    """Files as an agent sends them."""
    return "\n".join(f'<file path="{path}">\n{text.rstrip()}\n</file>\n' for path, text in files.items())


@dataclass
class OracleStream:
    """One agent's conversation with the oracle; nothing is forgotten. Marks count messages."""

    oracle: Oracle
    said: list[str] = field(default_factory=list)
    _reply: Reply | None = None

    @property
    def reply(self) -> Reply:
        """The last reply; LookupError before the first one."""
        if self._reply is None:
            raise LookupError("this stream has not said anything yet")
        return self._reply

    @property
    def window(self) -> WindowState:
        """Everything is held."""
        tokens = sum(map(estimate_tokens, self.said))
        return WindowState(tokens, tokens)

    def hear(self, text: str) -> Mark:
        """Append what was said to the agent."""
        return self._append(text)

    def recall(self, text: str) -> Mark:
        """Append a reply of an earlier life."""
        return self._append(text)

    def say(self, limits: SayLimits) -> Iterator[str]:
        """The looked-up reply, all at once."""
        text = clean(self.oracle.answer())
        mark = self._append(text)
        self._reply = Reply(text, "stop", Usage(0, estimate_tokens(text), estimated=True, money=0.0), mark)
        yield text

    def holds(self, mark: Mark) -> bool:
        """True: an oracle forgets nothing."""
        return True

    def fork(self) -> OracleStream:
        """A copy that has heard and said the same."""
        return OracleStream(self.oracle, list(self.said), self._reply)

    def save(self, path: Path) -> None:
        """Write what was heard and said."""
        path.write_text(json.dumps(self.said), encoding="utf-8")

    def load(self, path: Path) -> bool:
        """Never: an oracle's answers depend on the whole run."""
        return False

    def _append(self, text: str) -> Mark:
        self.said.append(text)
        return Mark(len(self.said) - 1, len(self.said))
