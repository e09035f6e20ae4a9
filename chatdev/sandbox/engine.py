"""The engines' common contract, and the choice of one.

An engine runs a `Job` in a box of its own and gives back a `Run` for every step. It never raises because of what a
program did; it raises `UserError` when the engine itself is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

from chatdev.errors import UserError
from chatdev.sandbox.bundle import pack
from chatdev.sandbox.config import SandboxConfig
from chatdev.sandbox.deps import Installed
from chatdev.sandbox.job import Job, Run, Step
from chatdev.sandbox.line import Line
from chatdev.sandbox.requirements import Wanted

OnRun = Callable[[Run], None]


class Engine(Protocol):
    """Runs jobs in throw-away boxes."""

    name: str
    config: SandboxConfig

    def describe(self) -> str:
        """One line for the person: which engine, which image, which limits."""

    def perform(self, job: Job, on_run: OnRun | None = None) -> list[Run]:
        """Run a job to its end; `on_run` hears of every step as it is done. One `Run` per step, in order."""

    def session(self, job: Job, secret: str) -> AbstractContextManager[tuple[Line, Iterator[bytes]]]:
        """A started box, its line, and what is to be written to it first; `attach.start` uses it for a person."""

    def install(self, wanted: Wanted) -> Installed:
        """Fetch dependencies in an installer with network, or find them where they were kept."""

    def lacks(self, kit: str) -> str:
        """What is missing for a kit (a language's toolchain, the browser) and what mends it; "" if nothing."""

    def missing_limits(self) -> list[str]:
        """Limits of the configuration that this engine cannot hold here, one plain sentence each."""

    def sweep(self) -> list[str]:
        """Remove what killed runs left behind; names of what was removed."""


def run(
    engine: Engine, source: Path, command: list[str], *, stdin: bytes | None = None, env: dict[str, str] | None = None,
    seconds: float | None = None, collect: Sequence[str] = (),
) -> Run:  # fmt: skip
    """Run one command on a copy of `source` in a box of its own."""
    step = Step(
        "run",
        command,
        stdin=stdin,
        env=dict(env or {}),
        seconds=seconds or engine.config.seconds,
        collect=tuple(collect),
    )
    return engine.perform(Job(pack(source), (step,)))[0]


def open_engine(config: SandboxConfig, run_id: str) -> Engine | None:
    """The engine a configuration asks for, swept of leftovers and ready; None when products cannot be run safely here.

    Raises:
        UserError: an engine was asked for by name and is not there.
    """
    from chatdev.sandbox.bwrap_engine import BubblewrapEngine
    from chatdev.sandbox.docker_engine import DockerEngine
    from chatdev.sandbox.host_engine import HostEngine

    if config.engine == "none":
        return None
    if config.engine == "host":
        return HostEngine(config, run_id)
    makers: list[Callable[[SandboxConfig, str], Engine]] = []
    if config.engine in ("auto", "docker"):
        makers.append(DockerEngine)
    if config.engine in ("auto", "bubblewrap"):
        makers.append(BubblewrapEngine)
    for make in makers:
        try:
            engine = make(config, run_id)
        except UserError:
            if config.engine != "auto":
                raise
            continue
        engine.sweep()
        return engine
    return None


def why_no_engine(config: SandboxConfig) -> str:
    """For a verdict `unverified`: why `open_engine` gave None, with the command that mends it."""
    if config.engine == "none":
        return "the sandbox is switched off (engine: none)"
    wrong = [f"{thing}: {text} ({fix})" for thing, ok, text, fix in probe() if not ok and thing != "bubblewrap"]
    return "; ".join(wrong) or "no engine is ready"


class Probe(NamedTuple):
    """One line of `doctor`."""

    thing: str
    ok: bool
    text: str
    fix: str


def probe() -> list[Probe]:
    """What this machine has for running products."""
    from chatdev.sandbox.bwrap_engine import BubblewrapEngine
    from chatdev.sandbox.docker_engine import connect
    from chatdev.sandbox.image import default_tag, image_present

    found = []
    try:
        client = connect()
    except UserError as error:
        found.append(Probe("docker", False, error.what, error.fix))
    else:
        version = client.version()
        found.append(Probe("docker", True, f"engine {version['Version']} on {version['Os']}/{version['Arch']}", ""))
        there = image_present(client=client)
        found.append(
            Probe("sandbox image", there, default_tag() + ("" if there else " is not built"), "chatdev sandbox build")
        )
        client.close()
    try:
        engine = BubblewrapEngine(SandboxConfig(), "probe")
    except UserError as error:
        found.append(Probe("bubblewrap", False, error.what, error.fix))
    else:
        found.append(Probe("bubblewrap", True, engine.describe(), ""))
    return found
