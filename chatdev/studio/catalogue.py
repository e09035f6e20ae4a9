"""The products of the warehouse for the page: found by name, listed, and each with its feed."""

from __future__ import annotations

import threading
from pathlib import Path, PurePath
from typing import Any

from chatdev.company import load_company
from chatdev.errors import UserError
from chatdev.run.journal import Event, parse_line
from chatdev.run.ledger import Ledger
from chatdev.run.lock import holder
from chatdev.run.past import BACK_AND_FORTH, counting
from chatdev.run.product import Product, products
from chatdev.studio.chain_map import chain_tree, node_ids
from chatdev.studio.evidence import newest_picture
from chatdev.studio.feed import Feed
from chatdev.studio.fold import RunState

LONGEST_NAME = 255
"""Bytes of a folder's name."""
OPEN_AT_ONCE = 8
"""Journals that are kept in memory."""


class Run:
    """One product as the page sees it: its feed, its chain, and the state at the newest moment."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.feed = Feed(product.journal)
        self._lock = threading.Lock()
        self._generation = -1
        self.chain: list[dict[str, Any]] = []
        self.chain_error = ""
        self._state = RunState(set())

    def refresh(self) -> None:
        """Read what is new, and fold it in."""
        with self._lock:
            self.feed.refresh()
            if self.feed.generation != self._generation:
                self._generation = self.feed.generation
                self._load_chain()
                self._state = RunState(node_ids(self.chain))
            fresh = [one for one in self.feed.after(self._state.last_id) if one.kind not in ("words", "progress")]
            if any(one.kind in BACK_AND_FORTH for one in fresh):
                self._state = self._folded(self.feed.events)
            else:
                self._state.read_all(fresh)

    def _load_chain(self) -> None:
        try:
            self.chain, self.chain_error = chain_tree(load_company(str(self.product.company))), ""
        except UserError as error:
            self.chain, self.chain_error = [], str(error)

    def state(self) -> dict[str, Any]:
        """Where the run stands now."""
        return self._described(self._state)

    def state_at(self, last: int) -> dict[str, Any]:
        """Where the run stood after the event with this id."""
        past = self._folded(self.feed.until(last))
        return {**self._described(past), "past": True}

    def _folded(self, events: list[Event]) -> RunState:
        """What counts of these events; what was undone was paid for all the same."""
        state = RunState(node_ids(self.chain)).read_all(counting(events))
        state.ledger = Ledger()
        for event in events:
            state.spend(event)
        return state

    def _described(self, state: RunState) -> dict[str, Any]:
        found = state.to_json()
        pid = holder(self.product.ours)
        damage = self.feed.damage or found["damage"]
        if pid is None:
            found["asked"] = None  # nobody would read the answer; whoever resumes the run is asked again
        return found | {"product": self.product.name, "pid": pid, "at_work": pid is not None, "damage": damage}

    @property
    def titles(self) -> dict[str, str]:
        found = self._state.facts["titles"]
        return found if isinstance(found, dict) else {}


class Catalogue:
    """Products by name."""

    def __init__(self, warehouse: Path) -> None:
        self.warehouse = warehouse
        self._lock = threading.Lock()
        self._open: dict[str, Run] = {}

    def product(self, name: str) -> Product:
        """The product with exactly this name.

        Raises:
            UserError: there is none. A name is never taken for a path.
        """
        root = self.warehouse / name
        if not _is_name(name) or root.is_symlink() or not (root / ".chatdev" / "journal.jsonl").is_file():
            raise UserError("there is no such product")
        return Product(root.resolve())

    def run(self, name: str) -> Run:
        """The run of a product, read up to now; the least recently used ones are let go."""
        product = self.product(name)
        with self._lock:
            run = self._open.pop(name, None) or Run(product)
            self._open[name] = run
            while len(self._open) > OPEN_AT_ONCE:
                self._open.pop(next(iter(self._open)))
        run.refresh()
        return run

    def rows(self) -> list[dict[str, Any]]:
        """The list of products, newest first."""
        rows = (_row(product) for product in products(self.warehouse) if _is_name(product.name))
        return [row for row in rows if row]


def _is_name(name: str) -> bool:
    """Whether a text is the name of one folder, and no way to another; people name folders as they like."""
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:  # a name that is no text cannot stand in an address
        return False
    return 0 < size <= LONGEST_NAME and "\0" not in name and name != ".." and PurePath(name).name == name


def _row(product: Product) -> dict[str, Any] | None:
    try:
        return None if product.root.is_symlink() else _read_row(product)
    except OSError:  # deleted at this moment
        return None


def _read_row(product: Product) -> dict[str, Any]:
    report = product.report() or {}
    started = _started(product)
    picture = newest_picture(product.evidence)
    at_work = holder(product.ours) is not None
    return {
        "name": product.name,
        "task": str(report.get("task") or (started.get("task", "") if started else ""))[:300],
        "company": str(report.get("company") or (started.get("company", "") if started else "")),
        "verdict": str(report.get("verdict") or "unverified"),
        "state": "at work" if at_work else str(report.get("state") or "interrupted"),
        "reason": str(report.get("reason") or "")[:300],
        "changed": product.journal.stat().st_mtime,
        "tokens": report.get("tokens"),
        "money": report.get("money"),
        "picture": list(picture) if picture else None,
    }


def _started(product: Product) -> Event | None:
    """The order of a run, from the first lines of its journal."""
    with product.journal.open("rb") as journal:
        for _ in range(20):
            try:
                event = parse_line(journal.readline(1_000_000))
            except ValueError:
                return None
            if event.kind == "run_started":
                return event
    return None
