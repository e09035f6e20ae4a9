"""One run of a company, from the order to the report.

    with the product locked: open journal → open models and sandbox → walk the chain → write the report

Starting and resuming are the same thing: the walk takes from the journal what it holds and does the rest. Whatever
ends the run (the chain, a limit, a person, Ctrl-C, a failing endpoint, a defect), the report is written and the
product can be resumed.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
import traceback
from collections.abc import Callable, Collection, Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import chatdev
from chatdev.apprentice import NAME as APPRENTICE
from chatdev.chain.brief import Brief
from chatdev.chain.context import Context, Progress
from chatdev.chain.crew import Crew
from chatdev.chain.hands import Hands
from chatdev.chain.packages import agreed
from chatdev.chain.people import Nobody, Person
from chatdev.chain.prompt import Composer
from chatdev.chain.questions import chair
from chatdev.chain.snapshots import Snapshots
from chatdev.chain.table import StopWatch, Table
from chatdev.chain.undo import settle
from chatdev.chain.views import changed_paths
from chatdev.chain.walk import walk
from chatdev.chain.words import Words
from chatdev.company import CompanyBundle
from chatdev.errors import Interrupted, Stop, UserError
from chatdev.llm.base import Model, Sampling
from chatdev.llm.select import Memory, open_model, preflight
from chatdev.run.files import write_json
from chatdev.run.journal import Event, Journal
from chatdev.run.ledger import Ledger, RunLimits
from chatdev.run.lock import ProductLock
from chatdev.run.product import Product
from chatdev.run.report import EXIT_BY_VERDICT, make_report, models_of
from chatdev.sandbox import LadderReport, Rung, SandboxConfig, climb, open_engine
from chatdev.sandbox.bundle import pack
from chatdev.sandbox.deps import Ask
from chatdev.sandbox.engine import Engine
from chatdev.software.history import History
from chatdev.software.workspace import Workspace, WorkspaceLimits

Reader = Callable[[Event], None]
LATEST = 250_000_000_000
"""The latest start of a run, seconds since 1970: some thousand commits before the end of the year 9999."""


@dataclass(frozen=True)
class Order:
    """What a person asked for; it is written into the journal, so a resumed run needs nothing again."""

    task: str
    seed: int = 0
    source: Path | None = None
    """A folder or repository to start from."""


@dataclass
class CompanyRun:
    """One life of a run."""

    product: Product
    bundle: CompanyBundle
    order: Order
    person: Person = field(default_factory=Nobody)
    screens: Callable[[Ledger, dict[str, str]], Iterable[Reader]] = lambda ledger, titles: ()
    """Makes the readers of this run's events, once ledger and titles are known."""
    rest: Callable[[], float] = lambda: 0.0
    """Called after every event, when all readers have seen it: a person may take a pause; returns its seconds."""
    begun: bool = False
    """The run has a task in its journal, so there is something to resume."""

    def run(self) -> dict[str, Any]:
        """Work until the chain is through or something stops it; returns the report."""
        with ExitStack() as stack:
            stack.enter_context(ProductLock(self.product.ours))
            journal = Journal.open(self.product.journal)
            stack.callback(journal.close)
            ledger = Ledger()
            ledger.read_all(journal.events, self.product.journal)
            journal.subscribe(ledger.read)
            titles = {name: role.title for name, role in self.bundle.roles.items()}
            for reader in self.screens(ledger, titles):
                journal.subscribe(reader)
            journal.subscribe(lambda event: self._rest(journal))
            stack.enter_context(StopWatch(self.product.inbox))
            journal.append("life", pid=os.getpid(), version=chatdev.__version__, resumed=bool(journal.events))
            try:
                self._work(journal, ledger, stack)
            finally:
                report = make_report(self.product, journal, ledger)
                with contextlib.suppress(OSError):
                    write_json(self.product.report_file, report)
        return report

    def _rest(self, journal: Journal) -> None:
        waited = self.rest()
        if waited:
            journal.append("paused", waited=round(waited, 3))

    def _work(self, journal: Journal, ledger: Ledger, stack: ExitStack) -> None:
        """Walk the chain; every way out is an event."""
        try:
            ctx = self._prepare(journal, ledger, stack)
            verdict = walk(ctx)
            ctx.table.leave()
            # Not simply the newest check: files can be again what an earlier one judged.
            journal.append("run_ended", verdict=verdict, check=ctx.progress.check, exit_code=EXIT_BY_VERDICT[verdict])
        except Stop as stop:
            journal.append("stopped", reason=stop.reason, exit_code=stop.exit_code)
        except KeyboardInterrupt:
            journal.append("stopped", reason="interrupted", exit_code=Interrupted.exit_code)
        except UserError as error:
            journal.append("stopped", reason=str(error), exit_code=error.exit_code)
            raise
        except OSError as error:
            # A full disk or a folder that cannot be written is the user's to mend; what was fsynced is safe.
            with contextlib.suppress(OSError):
                journal.append("stopped", reason=f"{error.strerror or error}", exit_code=1)
            raise UserError(
                f"the run stopped: {error.strerror or error}",
                where=str(self.product.root / str(error.filename or "")),
                fix="Mend that, then " + (f"run.py resume {self.product.root}" if self.begun else "start again"),
            ) from error
        except Exception as error:
            with contextlib.suppress(OSError):
                self._log(traceback.format_exc())
                journal.append("stopped", reason=f"defect: {type(error).__name__}: {error}", exit_code=1)
            raise

    def _prepare(self, journal: Journal, ledger: Ledger, stack: ExitStack) -> Context:
        """Open everything the chain needs; whatever is missing is told before a token is spent."""
        company, product = self.bundle.company, self.product
        limits = company.limits
        bounds = RunLimits(limits.tokens, limits.money, limits.minutes, limits.turns)
        words = Words.load(product.company / "words.yaml")
        table = Table(journal, product.inbox, self.person, self.bundle.used_roles())

        def meanwhile(role: str, key: str, phase: str) -> str:
            hands.keep(key.partition("/")[0])
            return "".join("\n" + words.say("message", text=text) for text in table.messages(role, key, phase))

        told: set[str] = set()

        def notice(text: str) -> None:
            if text not in told:
                told.add(text)
                journal.append("notice", text=text, step="")

        crew = Crew(
            self.bundle,
            self.order.task,
            self.order.seed,
            journal,
            lambda name: self._model(name, journal, table),
            lambda: bounds.check(ledger),
            meanwhile,
            Snapshots(product.streams, notice),
            notice,
        )
        stack.callback(crew.close)
        models = {role: crew.model_of(role).name for role in self.bundle.used_roles()}
        engine = self._engine(journal)
        born = _born(journal)
        history = History(product.root)
        given = self._first_files(journal, history, born, models.values())
        # From here on there is something to resume; whatever was missing has been told before.
        journal.once("run_started", "run", lambda: self._started(models, born))
        self.begun = True
        own = WorkspaceLimits(limits.file_bytes, limits.files, limits.project_bytes)
        workspace = Workspace(product.root, replace(own, given_files=given["files"], given_bytes=given["bytes"]))
        progress = Progress()
        settle(journal, history)
        if models != models_of(journal):
            journal.append("models", models=models)
        hands = Hands(journal, history, workspace, progress, born)
        if not hands.pending():
            hands.keep("resume")
        brief = Brief(journal, self._given(words))
        return Context(
            product=product,
            bundle=self.bundle,
            journal=journal,
            workspace=workspace,
            history=history,
            hands=hands,
            brief=brief,
            words=words,
            composer=Composer(brief, words, workspace.texts, lambda: changed_paths(journal)),
            crew=crew,
            table=table,
            engine=engine,
            climb=lambda step: self._climb(engine, step, journal, lambda names: agreed(table, words, step, names)),
            fingerprint=lambda: pack(product.root).fingerprint,
            progress=progress,
        )

    def _started(self, models: dict[str, str], born: int) -> dict[str, Any]:
        return {
            "task": self.order.task,
            "seed": self.order.seed,
            "source": str(self.order.source) if self.order.source else None,
            "company": self.bundle.company.name,
            "models": models,
            "titles": {name: role.title for name, role in self.bundle.roles.items()},
            "born": born,
        }

    def _model(self, name: str, journal: Journal, table: Table) -> Model:
        def tell(kind: str, *names: str) -> Callable[..., None]:
            def write(*values: Any) -> None:
                journal.append(kind, **dict(zip(names, values, strict=True)))

            return write

        stream = self.bundle.company.stream
        sampling = Sampling(**self.bundle.company.sampling.model_dump(), seed=self.order.seed)
        model = open_model(
            name,
            sampling=sampling,
            on_wait=tell("waiting", "seconds", "reason"),
            on_notice=tell("notice", "text"),
            on_progress=tell("progress", "what", "done"),
            memory=Memory(stream.sinks, stream.window, stream.precision),
            on_page=lambda page: chair(table, self.bundle, page),
        )
        preflight(model)
        return model

    def _engine(self, journal: Journal) -> Engine | None:
        """The sandbox; without one the product is built all the same, and its verdict says `unverified`."""
        engine = open_engine(self._sandbox(), run_id=self.product.name)
        if engine is None:
            return None
        for limit in engine.missing_limits():
            journal.append("notice", text=f"what the sandbox cannot hold here: {limit}", step="")
        return engine

    def _sandbox(self) -> SandboxConfig:
        return SandboxConfig(**self.bundle.company.sandbox.model_dump())

    def _climb(self, engine: Engine | None, step: str, journal: Journal, ask: Ask) -> LadderReport:
        accept = Path(self.bundle.company.accept) if self.bundle.company.accept else None

        def on_rung(rung: Rung) -> None:
            journal.append("rung", rung=asdict(rung), step=step)

        return climb(
            self.product.root,
            engine,
            self._sandbox(),
            accept=accept,
            ask=ask,
            on_rung=on_rung,
            evidence=self.product.evidence / step,
        )

    def _first_files(self, journal: Journal, history: History, born: int, models: Collection[str]) -> Event:
        """An empty repository, or a copy of what the run starts from; how many files and bytes that brought."""

        def begin() -> dict[str, Any]:
            if self.order.source is None:
                history.init()
                return {"files": 0, "bytes": 0, "head": None}
            if APPRENTICE in models:
                why = "the bundled apprentice builds small programs from nothing and cannot change what is there"
                raise UserError(why, fix="Name a model with --model, or set OPENAI_API_KEY")
            journal.append("notice", text=f"copying {self.order.source}", step="")
            history.import_from(self.order.source, born)
            for text in history.new_notices():
                journal.append("notice", text=text, step="")
            sizes = [info.size for info in Workspace(self.product.root).files().values()]
            return {"files": len(sizes), "bytes": sum(sizes), "head": history.head()}

        return journal.once("opened", "opened", begin)

    def _given(self, words: Words) -> dict[str, str]:
        company = self.bundle.company
        return {
            "task": self.order.task,
            "background": company.background,
            "gui": words.say("gui").strip() if company.gui else "",
            "existing": words.say("existing").strip() if self.order.source else "",
        }

    def _log(self, text: str) -> None:
        with self.product.log.open("a", encoding="utf-8") as log:
            log.write(time.strftime("%Y-%m-%d %H:%M:%S\n") + text + "\n")


def _born(journal: Journal) -> int:
    """The base of commit dates: the start of the run, or SOURCE_DATE_EPOCH (reproducible-builds.org).

    Raises:
        UserError: SOURCE_DATE_EPOCH is no date.
    """
    started = journal.recorded("run")
    if started is not None:
        return int(started["born"])
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if text and not (re.fullmatch(r"[0-9]{1,12}", text) and int(text) <= LATEST):
        raise UserError(f'"{text}" is no date', where="SOURCE_DATE_EPOCH", fix="Give seconds since 1970")
    return int(text) if text else int(time.time())
