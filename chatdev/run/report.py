"""`report.json`: what a run came to, read from its journal.

The verdict comes from the ladder alone. A run that was stopped before its chain was through says so beside it; it is
never a success.
"""

from __future__ import annotations

from typing import Any

from chatdev.run.journal import Journal
from chatdev.run.ledger import Ledger
from chatdev.run.product import Product

VERSION = 1
EXIT_BY_VERDICT = {"verified": 0, "failed": 3, "unverified": 3}


def make_report(product: Product, journal: Journal, ledger: Ledger) -> dict[str, Any]:
    """Fold a journal into the report that `show`, `--json` and people read."""
    started = next(journal.of_kind("run_started"), None)
    checks = list(journal.of_kind("checked"))
    # An end counts only until somebody went on: a life that was killed has none.
    last = list(journal.of_kind("run_ended", "stopped", "life"))[-1:]
    end = last[0] if last and last[0].kind != "life" else None
    judged = journal.recorded(end["check"]) if end is not None and end.kind == "run_ended" else None
    check = judged or (checks[-1] if checks else None)
    ladder = check["report"] if check else {"verdict": "unverified", "reason": "never checked", "rungs": []}
    stopped = end is not None and end.kind == "stopped"
    finished = end is not None and end.kind == "run_ended"
    return {
        "report": VERSION,
        "product": product.name,
        "folder": str(product.root),
        "task": started["task"] if started else "",
        "company": started["company"] if started else "",
        "models": started["models"] if started else {},
        "seed": started["seed"] if started else 0,
        "verdict": ladder["verdict"] if finished else "unverified",
        "reason": ladder["reason"] if finished else (end["reason"] if stopped and end else "not finished"),
        "state": "finished" if finished else "stopped" if stopped else "interrupted",
        "exit_code": end["exit_code"] if end else 130,
        "ladder": ladder,
        "files": _files(journal),
        "commits": [
            {"sha": c["sha"], "by": c["author"], "message": c["message"]}
            for c in journal.of_kind("committed")
            if c["sha"]
        ],
        "seconds": round(ledger.seconds(), 3),
        **ledger.total.to_json(),
        "by_role": {name: account.to_json() for name, account in ledger.by_role.items()},
        "by_phase": {name: account.to_json() for name, account in ledger.by_phase.items()},
    }


def _files(journal: Journal) -> list[str]:
    """Paths that the run wrote and that are still there."""
    there: set[str] = set()
    for commit in journal.of_kind("committed"):
        for file in commit["files"]:
            (there.discard if file["status"] == "deleted" else there.add)(file["path"])
    return sorted(there)
