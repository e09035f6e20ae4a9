"""The company at rehearsal: the real chain with an oracle in the model's place, without git and without a disk's pace.

Everything that decides what is said is the real thing: the walk, the phases, the prompts, the ladder's report. Only
journal and history are kept in memory, and the ladder's steps run in forks. A test holds a rehearsal to the run of the
real company, sentence by sentence.
"""

from __future__ import annotations

import random
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from chatdev.apprentice.course import Course
from chatdev.apprentice.oracle import Oracle, OracleStream
from chatdev.apprentice.quick_engine import QuickEngine
from chatdev.apprentice.slots import told_values
from chatdev.apprentice.streams import Book, Row, Spelling, rows
from chatdev.chain.brief import Brief
from chatdev.chain.context import Context, Progress
from chatdev.chain.crew import Crew
from chatdev.chain.hands import Hands
from chatdev.chain.people import Nobody
from chatdev.chain.prompt import Composer
from chatdev.chain.snapshots import Snapshots
from chatdev.chain.table import Table
from chatdev.chain.walk import walk
from chatdev.chain.words import Words
from chatdev.company import CompanyBundle
from chatdev.errors import Stop
from chatdev.llm.base import Mark, WindowState
from chatdev.llm.local.window import Window
from chatdev.run.journal import Event, Journal
from chatdev.run.product import Product
from chatdev.sandbox import LadderReport, climb
from chatdev.sandbox.bundle import contents, pack
from chatdev.sandbox.engine import Engine
from chatdev.sandbox.entry import find_entry
from chatdev.software.commits import Commit
from chatdev.software.history import History
from chatdev.software.workspace import Workspace

if TYPE_CHECKING:
    from chatdev.apprentice.curriculum import Lesson

WINDOW = 1152
"""Tokens a stream of the apprentice holds."""
BLOCK = WINDOW // 8
"""Tokens it evicts at once."""


@dataclass(frozen=True)
class Rehearsed:
    """What came of a rehearsal."""

    events: list[Event]
    verdict: str
    flawed: frozenset[str]
    """Replies that were wrong on purpose."""
    task: str
    bundle: CompanyBundle
    values: list[str]
    """What the task gave."""

    def rows(self, spelling: Spelling) -> list[Row]:
        """The streams, with what is to be learned from them."""
        return rows(
            self.events,
            lambda role: Crew.head_of(self.bundle, role, self.task),
            spelling,
            per_phase=False,
            learn=lambda event: event["text"] not in self.flawed,
            values=self.values,
        )


def rehearse(
    lesson: Lesson | None,
    course: Course,
    bundle: CompanyBundle,
    spelling: Spelling | None,
    *,
    seed: int = 0,
    task: str = "",
    window: int = WINDOW,
    oracle: Oracle | None = None,
    engine: Engine | None = None,
) -> Rehearsed:
    """Let the company build a lesson's program.

    Args:
        lesson: what is built; None for the `task` of somebody who asks for what nobody taught.
        spelling: counts tokens, so that prompts show again what the window has lost; None forgets nothing.
        window: tokens a stream holds.
        oracle: who answers, where it is not the lesson alone (see `deputy`).
        engine: what climbs the ladder; forks of this process, unless given.
    """
    oracle = oracle or _Remembering(lesson, course, seed, spelling, window)
    wanted = lesson.task if lesson is not None else task
    oracle.task = wanted
    folder = Path(tempfile.mkdtemp(prefix="rehearsal-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        ctx = _context(folder, wanted, bundle, oracle, seed, engine or QuickEngine(seed))
        try:
            verdict = walk(ctx)
        except Stop:
            verdict = "stopped"
        values = told_values(lesson) if lesson is not None else []
        return Rehearsed(ctx.journal.events, verdict, frozenset(oracle.flawed), wanted, bundle, values)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Remembering(Oracle):
    """An oracle whose streams forget as the local engine's do."""

    def __init__(
        self, lesson: Lesson | None, course: Course, seed: int, spelling: Spelling | None, window: int
    ) -> None:
        super().__init__(lesson, course, seed)
        self.spelling, self.window = spelling, window

    def open(self, head: str, *, seed: int = 0) -> OracleStream:
        if self.spelling is None:
            return OracleStream(self)
        return _TokenStream(self, book=Book(self.spelling, head), window_tokens=self.window)


@dataclass
class _TokenStream(OracleStream):
    """Marks count tokens, and what the engine would have evicted is not held."""

    book: Book | None = None
    window_tokens: int = WINDOW

    @property
    def window(self) -> WindowState:
        return replace(super().window, window=self.window_tokens)

    def hear(self, text: str) -> Mark:
        assert self.book is not None
        return Mark(*self.book.hear(text))

    def _append(self, text: str) -> Mark:
        assert self.book is not None
        return Mark(*self.book.say(text))

    def holds(self, mark: Mark) -> bool:
        assert self.book is not None
        sinks, total = self.book.sinks, self.window_tokens
        plan = Window(sinks, total - sinks, total // 8, 2 * total)
        return plan.keeps(mark.start, mark.end, len(self.book.ids))


class _MemoryJournal(Journal):
    """Events in a list; nothing is written."""

    def append(self, kind: str, key: str | None = None, **data: Any) -> Event:
        event = Event(len(self.events) + 1, 0.0, kind, key, data)
        self.events.append(event)
        if key is not None:
            self._by_key[key] = event
        for reader in self._readers:
            reader(event)
        return event


class _MemoryHistory:
    """Commits that only count."""

    def __init__(self) -> None:
        self.commits: list[Commit] = []

    def head(self) -> str | None:
        return self.commits[-1].sha if self.commits else None

    def commit(
        self, message: str, author_name: str, author_email: str, trailers: Mapping[str, str], date: datetime
    ) -> Commit:
        self.commits.append(Commit(f"{len(self.commits) + 1:040x}", message))
        return self.commits[-1]

    def tag(self, name: str) -> None:
        pass

    def dirty(self) -> list[str]:
        return []

    def new_notices(self) -> list[str]:
        return []


class _NoHands(Hands):
    """Nobody edits a rehearsal's files."""

    def keep(self, step: str) -> None:
        pass

    @contextmanager
    def aside(self, contents: Mapping[str, str], step: str) -> Iterator[None]:
        yield


def _context(folder: Path, task: str, bundle: CompanyBundle, oracle: Oracle, seed: int, engine: Engine) -> Context:
    journal = _MemoryJournal.reading(folder / "journal", [])
    journal.subscribe(oracle.read)
    workspace, history, progress = Workspace(folder / "app"), cast("History", _MemoryHistory()), Progress()
    workspace.root.mkdir()
    words = Words.load()
    given = {
        "task": task,
        "background": bundle.company.background,
        "gui": words.say("gui").strip() if bundle.company.gui else "",
        "existing": "",
    }
    brief = Brief(journal, given)
    return Context(
        product=Product(folder),
        bundle=bundle,
        journal=journal,
        workspace=workspace,
        history=history,
        hands=_NoHands(journal, history, workspace, progress, 0),
        brief=brief,
        words=words,
        composer=Composer(brief, words, workspace.texts),
        crew=Crew(
            bundle,
            task,
            seed,
            journal,
            lambda name: oracle,
            lambda: None,
            lambda role, key, phase: "",
            Snapshots(folder / "streams"),
            lambda text: None,
        ),
        table=Table(journal, folder / "inbox", Nobody(), bundle.used_roles()),
        engine=engine,
        climb=lambda step: _climb(workspace.root, engine, oracle),
        fingerprint=lambda: pack(workspace.root).fingerprint,
        progress=progress,
    )


def _climb(folder: Path, engine: Engine, oracle: Oracle) -> LadderReport:
    """The ladder's report. What is right needs no climbing: of a report of success, prompts know the entry point."""
    if oracle.doubtful:
        return climb(folder, engine, engine.config)
    bundle = pack(folder)
    entry = find_entry(contents(bundle))
    start = shlex.join(entry.command) if entry else ""
    reason = "passed: parse, import, start, tests"
    return LadderReport("verified", reason, (), engine.name, bundle.fingerprint, entry=start)


def default_company() -> CompanyBundle:
    """The company that the apprentice learns to work in."""
    from chatdev.company import load_company

    return load_company("default")


def reworded(bundle: CompanyBundle, rng: random.Random) -> CompanyBundle:
    """The same company with prompts worded a little differently, so that nothing is learned letter by letter."""
    from chatdev.apprentice.rewording import reword

    roles = {name: role.model_copy(update={"prompt": reword(role.prompt, rng)}) for name, role in bundle.roles.items()}
    phases = {
        name: phase.model_copy(update={"prompt": reword(phase.prompt, rng)}) for name, phase in bundle.phases.items()
    }
    background = reword(bundle.company.background, rng)
    company = bundle.company.model_copy(update={"background": background})
    return replace(bundle, company=company, roles=roles, phases=phases)
