"""The result of a climb: rungs with evidence, one verdict, and the text a programmer gets to repair from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from chatdev.sandbox.traces import clean, clean_data

State = Literal["passed", "failed", "skipped", "unverified"]
Verdict = Literal["verified", "failed", "unverified"]


@dataclass(frozen=True)
class Rung:
    """One rung of the ladder."""

    name: str
    """parse, import, start, window, tests or acceptance."""
    state: State
    """`skipped`: it does not apply. `unverified`: it applies but could not be climbed."""
    summary: str
    """One line."""
    details: str = ""
    """What a programmer needs to repair it; bounded."""
    evidence: tuple[str, ...] = ()
    """Names of files in the evidence folder."""
    seconds: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)
    mendable: bool = False
    """Of an `unverified` rung: not this machine but the files are the reason, so another version can climb it."""

    def __post_init__(self) -> None:
        # Names of files, words of programs and of their windows come from strangers: cleaned here, once, for the
        # terminal, the report and the page alike.
        for name in ("summary", "details", "evidence", "facts"):
            object.__setattr__(self, name, clean_data(getattr(self, name)))
        object.__setattr__(self, "summary", " ".join(self.summary.splitlines()))


@dataclass(frozen=True)
class LadderReport:
    """What is proved about a folder of software."""

    verdict: Verdict
    reason: str
    rungs: tuple[Rung, ...]
    engine: str
    """The engine's own description, or why there is none."""
    fingerprint: str
    """sha256 of exactly the files that were tried."""
    missing_limits: tuple[str, ...] = ()
    entry: str = ""
    """The command that starts the product."""
    seconds: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "entry", " ".join(clean(self.entry).splitlines()))

    def to_json(self) -> dict[str, Any]:
        """Plain data for `report.json`."""
        return asdict(self)

    def for_model(self, limit_chars: int = 4000) -> str:
        """The test report: what passed, then what failed with its exact words; within the limit, heads and tails
        kept. The reason stands in what failed, so the verdict repeats it only where something had to be cut.
        """
        failed = [r for r in self.rungs if r.state in ("failed", "unverified")]
        fine = [f"{r.name}: {r.state}. {r.summary}" for r in self.rungs if r.state in ("passed", "skipped")]
        if self.entry:
            fine.insert(0, f"Started as: {self.entry}")

        def sections(room: int) -> list[str]:
            return [f"\n== {r.name}: {r.state} ==\n{shorten(_join(r), room)}" for r in failed]

        text = "\n".join([f"Verdict: {self.verdict}.", *fine, *sections(limit_chars)])
        if failed and len(text) <= limit_chars:
            return text
        head = "\n".join([f"Verdict: {self.verdict}. {self.reason}", *fine])
        room = max(200, limit_chars - len(head) - 40 * len(failed)) // max(1, len(failed))
        return shorten("\n".join([head, *sections(room)]), limit_chars)


def judge(rungs: Sequence[Rung]) -> tuple[Verdict, str]:
    """The verdict: any failed rung fails it; `verified` needs that something really ran (start, tests or
    acceptance) and nothing is left open.
    """
    failed = [r for r in rungs if r.state == "failed"]
    if failed:
        more = f"; also failed: {', '.join(r.name for r in failed[1:])}" if len(failed) > 1 else ""
        return "failed", f"{failed[0].name}: {failed[0].summary}{more}"
    still_open = [r for r in rungs if r.state == "unverified"]
    if still_open:
        return "unverified", f"{still_open[0].name}: {still_open[0].summary}"
    passed = [r.name for r in rungs if r.state == "passed"]
    if not {"start", "tests", "acceptance"} & set(passed):
        return "unverified", "nothing was run"
    return "verified", f"passed: {', '.join(passed)}"


def shorten(text: str, limit: int) -> str:
    """Head and tail of a text within `limit` characters; errors stand at the end, so the tail gets more."""
    if len(text) <= limit:
        return text
    gap = "\n[...]\n"
    head = max(0, (limit - len(gap)) // 3)
    tail = max(0, limit - len(gap) - head)
    return text[:head] + gap + text[len(text) - tail :]


def _join(rung: Rung) -> str:
    """Summary and details, without saying the same twice."""
    if rung.details.startswith(rung.summary):
        return rung.details
    return f"{rung.summary}\n{rung.details}" if rung.details else rung.summary
