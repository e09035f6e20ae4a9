"""`report.json`: what a run came to, read from its journal.

The verdict comes from the ladder alone. A run that was stopped before its chain was through says so beside it; it is
never a success.
"""

from __future__ import annotations

from typing import Any

from chatdev.run.journal import Event, Journal
from chatdev.run.ledger import Ledger
from chatdev.run.past import gone_back
from chatdev.run.product import Product

VERSION = 1
EXIT_BY_VERDICT = {"verified": 0, "failed": 3, "unverified": 3}
UNFINISHED = 130


def make_report(product: Product, journal: Journal, ledger: Ledger) -> dict[str, Any]:
    """Fold a journal into the report that `show`, `--json` and people read."""
    started = next(journal.of_kind("run_started"), None)
    checks = list(journal.of_kind("checked"))
    end = _end(journal)
    judged = journal.recorded(end["check"]) if end is not None and end.kind == "run_ended" else None
    check = judged or (checks[-1] if checks else None)
    ladder = check["report"] if check else {"verdict": "unverified", "reason": "never checked", "rungs": []}
    stopped = end is not None and end.kind in ("stopped", "undone")
    finished = end is not None and end.kind == "run_ended"
    return {
        "report": VERSION,
        "product": product.name,
        "folder": str(product.root),
        "task": started["task"] if started else "",
        "company": started["company"] if started else "",
        "models": models_of(journal),
        "seed": started["seed"] if started else 0,
        "verdict": ladder["verdict"] if finished else "unverified",
        "reason": ladder["reason"] if finished else (_why(end) if end else "not finished"),
        "state": "finished" if finished else "stopped" if stopped else "interrupted",
        "exit_code": end.get("exit_code", UNFINISHED) if end else UNFINISHED,
        "gave_up": end is not None and end.kind == "stopped" and _gave_up(journal, end),
        "ladder": ladder,
        "parent": _parent(journal),
        "files": _files(journal),
        "commits": [
            {"sha": c["sha"], "by": c["author"], "message": c["message"]}
            for c in journal.of_kind("committed")
            if c["sha"]
        ],
        "window": _window(journal),
        "seconds": round(ledger.seconds(), 3),
        **ledger.total.to_json(),
        "by_role": {name: account.to_json() for name, account in ledger.by_role.items()},
        "by_phase": {name: account.to_json() for name, account in ledger.by_phase.items()},
    }


def _end(journal: Journal) -> Event | None:
    """What ended the run, or went back in it; None when that counts no more, because somebody went on."""
    ends = [*journal.of_kind("run_ended", "stopped", "life"), *_gone_back(journal)]
    last = max(ends, key=lambda event: event.id, default=None)
    return last if last is not None and last.kind != "life" else None


def _gone_back(journal: Journal) -> list[Event]:
    now = gone_back(journal.events)
    return [event for event in journal.of_kind("undone") if event.id in now]


def _gave_up(journal: Journal, end: Event) -> bool:
    """Whether the run ended because an agent found the task beyond it."""
    before = [event for event in journal.of_kind("said", "gave_up", "life", "undone") if event.id < end.id][-1:]
    return bool(before) and before[0].kind == "gave_up"


def _window(journal: Journal) -> int:
    """Tokens that each stream could hold; 0 unless local models with one window said everything."""
    states = [said.get("window") for said in journal.of_kind("said")]
    sizes = [state.get("window") if isinstance(state, dict) else None for state in states]
    known = [size for size in sizes if isinstance(size, int) and not isinstance(size, bool) and size > 0]
    return known[0] if len(known) == len(sizes) and len(set(known)) == 1 else 0


def _why(end: Event) -> str:
    return str(end["reason"]) if end.kind == "stopped" else f'went back to before "{end["title"]}" [{end["step"]}]'


def _parent(journal: Journal) -> dict[str, Any] | None:
    """What this product was forked from, None for one that began by itself."""
    forked = list(journal.of_kind("forked"))[-1:]
    return {name: forked[0][name] for name in ("parent", "folder", "step", "title")} if forked else None


def models_of(journal: Journal) -> dict[str, str]:
    """Which model stands behind each role: as the run began, or as it was changed since."""
    known = list(journal.of_kind("run_started", "models"))[-1:]
    return dict(known[0]["models"]) if known else {}


def _files(journal: Journal) -> list[str]:
    """Paths that the run wrote and that are still there."""
    there: set[str] = set()
    for commit in journal.of_kind("committed"):
        for file in commit["files"]:
            (there.discard if file["status"] == "deleted" else there.add)(file["path"])
    return sorted(there)
