"""What a run has spent: a fold over the journal, kept up to date as events arrive.

Money is a sum of known prices; as soon as one reply has no known price the total is a lower bound and says so.
Time is the time that processes really worked on the run, summed over its lives; waiting for a person is not work.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from chatdev.errors import LimitReached, UserError
from chatdev.run.journal import Event

NO_WORK = frozenset(("undone", "redone", "moved", "forked"))
"""Kinds written by commands that look after a run, long after it ended."""


@dataclass
class Account:
    """Replies, tokens, dollars and seconds of the model, of one role, one phase or the whole run."""

    replies: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    money: float = 0.0
    unpriced: int = 0
    """Payments whose price is not known."""
    payments: int = 0
    """Replies, pictures, and attempts that became neither."""
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def add(self, event: Event) -> None:
        usage = event["usage"]
        self.replies += event.kind == "said"
        self.prompt_tokens += usage["prompt_tokens"]
        self.completion_tokens += usage["completion_tokens"]
        self.seconds += usage["seconds"]
        self.payments += 1
        if usage["money"] is None:
            self.unpriced += 1
        else:
            self.money += usage["money"]

    def money_text(self) -> str:
        """`$0.0123`, `$0.0123 + 3 replies of unknown price`, or `price unknown`."""
        if self.unpriced and self.unpriced == self.payments:
            return "price unknown"
        rest = f" + {self.unpriced} replies of unknown price" if self.unpriced else ""
        return f"${self.money:.4f}{rest}"

    def to_json(self) -> dict[str, float | int | None]:
        known = None if self.unpriced and self.unpriced == self.payments else round(self.money, 6)
        return {
            "replies": self.replies,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "tokens": self.tokens,
            "money": known,
            "unpriced_replies": self.unpriced,
            "model_seconds": round(self.seconds, 3),
        }


@dataclass
class Ledger:
    """Accounts of the whole run, by role and by phase."""

    total: Account = field(default_factory=Account)
    by_role: dict[str, Account] = field(default_factory=lambda: defaultdict(Account))
    by_phase: dict[str, Account] = field(default_factory=lambda: defaultdict(Account))
    worked: float = 0.0
    """Seconds of the lives that ended."""
    _born: float | None = None
    _seen: float = 0.0

    def read(self, event: Event) -> None:
        """Fold in one event."""
        if event.kind == "life":
            if self._born is not None:
                self.worked += max(0.0, self._seen - self._born)
            self._born = event.at
        if event.kind not in NO_WORK:
            self._seen = event.at
        if event.kind == "forked":  # what the parent spent is not spent again
            self.total, self.worked, self._born = Account(), 0.0, None
            self.by_role.clear()
            self.by_phase.clear()
        self.worked -= event.get("waited", 0.0)
        if event.kind in ("said", "spent"):
            for account in (self.total, self.by_role[event["agent"]], self.by_phase[event["phase"]]):
                account.add(event)

    def read_all(self, events: Iterable[Event], where: Path) -> None:
        """Fold in a whole journal.

        Raises:
            UserError: an event lacks what its kind must have; somebody edited the file.
        """
        for event in events:
            try:
                self.read(event)
            except (KeyError, TypeError, AttributeError) as error:
                raise UserError(
                    f"the journal is damaged (event {event.id}, {event.kind}: {error})",
                    where=str(where),
                    fix="Restore it from a backup, or start a new run from the product's files: run.py --from",
                ) from error

    def seconds(self, now: float | None = None) -> float:
        """Seconds worked on the run; `now` counts the living process up to that moment."""
        end = now if now is not None else self._seen
        return self.worked + (max(0.0, end - self._born) if self._born is not None else 0.0)


@dataclass(frozen=True)
class RunLimits:
    """What bounds a run; None means no bound. Reaching one is an expected stop that can be resumed."""

    tokens: int | None = None
    money: float | None = None
    minutes: float | None = None
    turns: int | None = None

    def check(self, ledger: Ledger) -> None:
        """Raise LimitReached before the next reply would be paid for."""
        total = ledger.total
        if self.tokens is not None and total.tokens >= self.tokens:
            raise LimitReached(f"limit tokens: {total.tokens:,} of {self.tokens:,} used")
        if self.money is not None and total.money >= self.money:
            raise LimitReached(f"limit money: ${total.money:.4f} of ${self.money:.4g} spent")
        minutes = ledger.seconds(time.time()) / 60
        if self.minutes is not None and minutes >= self.minutes:
            raise LimitReached(f"limit minutes: {minutes:.1f} of {self.minutes:g} used")
        if self.turns is not None and total.replies >= self.turns:
            raise LimitReached(f"limit turns: {total.replies:,} of {self.turns:,} replies made")
