"""Where a run stands: a fold over its events, for the page.

The same fold serves the newest moment and any earlier one (replay). Who waits for an answer, which step is on, what
each agent's stream holds, what the ladder found, what was spent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from chatdev.run.journal import Event
from chatdev.run.ledger import Ledger
from chatdev.studio.chain_map import FINAL, node_of, rounds_of

_READ = frozenset(
    {"undone", "redone", "life", "run_started", "step_started", "said", "committed", "rung", "checked"}
    | {"asked", "answered", "stopped", "run_ended"}
)
"""Kinds that have a reader here."""
_KEEPS_UNDONE = frozenset({"undone", "redone", "moved", "life", "stopped"})
"""Kinds after which an undo can still be taken back (see `chain.undo`)."""


class RunState:
    """State of one run after the events read so far.

    Args:
        known: ids of the chain's steps (see `chain_map.node_ids`).
    """

    def __init__(self, known: set[str]) -> None:
        self._known = known
        self.ledger = Ledger()
        self.facts: dict[str, Any] = {"task": "", "company": "", "models": {}, "titles": {}, "seed": 0}
        self.state = "interrupted"
        """`interrupted` until an end is read: whether a process is at work is for the lock to say."""
        self.reason = ""
        self.verdict = "unverified"
        self.step = self.node = ""
        self.nodes: dict[str, str] = {}
        """Step id to `done`, `on` or `failed`."""
        self.rounds: dict[str, int] = {}
        self.windows: dict[str, dict[str, Any]] = {}
        self.rungs: list[dict[str, Any]] = []
        self.ladder_step = ""
        self.commits = 0
        self.asked: dict[str, Any] | None = None
        self.last_id = 0
        self.at = 0.0
        self.undone: list[tuple[str, str, str]] = []
        """The goings back that can still be taken back: the step, and the state and the reason before."""
        self.damage = ""

    def read_all(self, events: Iterable[Event]) -> RunState:
        for event in events:
            self.read(event)
        return self

    def read(self, event: Event) -> None:
        """Fold in one event; one that lacks what its kind must have is told as damage and passed over."""
        self.last_id, self.at = event.id, event.at
        self.spend(event)
        if event.kind not in _KEEPS_UNDONE:
            self.undone = []
        if event.kind in _READ:
            self._guarded(event, getattr(self, f"_{event.kind}"))

    def spend(self, event: Event) -> None:
        """Fold one event into the ledger alone."""
        self._guarded(event, self.ledger.read)

    def _guarded(self, event: Event, reader: Callable[[Event], None]) -> None:
        try:
            reader(event)
        except (LookupError, TypeError, AttributeError, ValueError, OverflowError) as error:
            self.damage = self.damage or f"event {event.id}, {event.kind}: {error}"

    def _undone(self, event: Event) -> None:
        self.undone.append((str(event["step"]), self.state, self.reason))
        self.state, self.reason, self.asked = "stopped", f"undone: {event['title']} [{event['step']}]", None

    def _redone(self, event: Event) -> None:
        _, self.state, self.reason = self.undone.pop()

    def _life(self, event: Event) -> None:
        self.state, self.reason = "interrupted", "not finished"
        self.asked = None

    def _run_started(self, event: Event) -> None:
        titles = {str(name): str(title) for name, title in (event.get("titles") or {}).items()}
        texts = {name: str(event.get(name) or "") for name in ("task", "company")}
        self.facts = {name: event.get(name) for name in ("models", "seed", "source")} | texts | {"titles": titles}

    def _step_started(self, event: Event) -> None:
        self._leave()
        self.step = str(event["step"])
        self.node = node_of(self.step, self._known)
        self.nodes[self.node] = "on"
        self.rounds |= rounds_of(self.step)
        if event["phase"] == "verify":
            self.rungs, self.ladder_step = [], self.step

    def _leave(self) -> None:
        if self.nodes.get(self.node) == "on":
            self.nodes[self.node] = "done"

    def _said(self, event: Event) -> None:
        window, notes = event["window"], event["window"].get("notes") or {}
        self.windows[event["agent"]] = {
            **{name: int(window[name]) for name in ("held", "total", "bytes")},
            "tokens_per_second": float(window["tokens_per_second"]),
            "notes": {str(name): str(value) for name, value in notes.items()},
            "model": str(event["model"]),
        }

    def _committed(self, event: Event) -> None:
        self.commits += bool(event["sha"])

    def _rung(self, event: Event) -> None:
        self.rungs.append(event["rung"])

    def _checked(self, event: Event) -> None:
        report = event["report"]
        self.rungs, self.ladder_step = report["rungs"], event["step"]
        self.verdict, self.reason = report["verdict"], report["reason"]
        self.nodes[node_of(event["step"], self._known)] = "failed" if self.verdict == "failed" else "done"

    def _asked(self, event: Event) -> None:
        self.asked = {"id": event.id, "question": event.key or "", **event.data}

    def _answered(self, event: Event) -> None:
        self.asked = None

    def _stopped(self, event: Event) -> None:
        self.state, self.reason, self.asked = "stopped", event["reason"], None

    def _run_ended(self, event: Event) -> None:
        self._leave()
        self.state, self.verdict, self.step, self.node = "finished", event["verdict"], "", ""
        self.nodes.setdefault(FINAL, "failed" if self.verdict == "failed" else "done")

    def to_json(self) -> dict[str, Any]:
        """What the page draws."""
        return {
            **self.facts,
            "state": self.state,
            "reason": self.reason,
            "verdict": self.verdict,
            "step": self.step,
            "node": self.node,
            "nodes": self.nodes,
            "rounds": self.rounds,
            "windows": self.windows,
            "rungs": self.rungs,
            "ladder_step": self.ladder_step,
            "commits": self.commits,
            "asked": self.asked,
            "undone": self.undone[-1][0] if self.undone else "",
            "last_id": self.last_id,
            "at": self.at,
            "damage": self.damage,
            "seconds": round(self.ledger.seconds(), 1),
            "money_text": self.ledger.total.money_text(),
            "total": self.ledger.total.to_json(),
            "by_role": {name: account.to_json() for name, account in self.ledger.by_role.items()},
            "by_phase": {name: account.to_json() for name, account in self.ledger.by_phase.items()},
        }
