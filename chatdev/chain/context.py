"""What every step of a chain works with, gathered in one place.

The chain room is the only one that knows all others; this object is how it hands them round. `Progress` is the small
state that loop conditions look at; it is built again from the journal when a run is resumed, by walking the chain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chatdev.chain.brief import Brief
from chatdev.chain.hands import Hands
from chatdev.chain.prompt import Composer
from chatdev.chain.words import Words
from chatdev.run.journal import Journal
from chatdev.run.product import Product

if TYPE_CHECKING:
    from chatdev.chain.crew import Crew
    from chatdev.chain.table import Table
    from chatdev.company import CompanyBundle
    from chatdev.sandbox import LadderReport
    from chatdev.sandbox.engine import Engine
    from chatdev.software.history import History
    from chatdev.software.workspace import Workspace


@dataclass
class Progress:
    """What loop conditions can ask about."""

    verdict: str = "unverified"
    """The last verdict on the files as they are now; any change of a file sets it back."""
    blind: bool = False
    """That verdict is `unverified`, and no other version of the files would change it."""
    checked: bool = False
    """The ladder was climbed after the last commit."""
    fingerprint: str = ""
    """The hash of the files that the last climb judged."""
    check: str = ""
    """The key of the event that holds the last climb's report."""
    done: set[str] = field(default_factory=set)
    """Phases whose last reply said their `done_when`."""
    changed: dict[str, bool] = field(default_factory=dict)
    """Whether a phase changed files the last time it ran."""
    placeholders: list[str] = field(default_factory=list)
    """What was unfinished when a loop last asked."""
    changes: int = 0
    """Commits so far, for `unchanged` rounds."""
    empty: bool = True
    """Nothing was written yet, or all of it was taken back."""
    settled: set[str] = field(default_factory=set)
    """Phases about which the person does not want to be asked again; `*` for all."""

    def committed(self) -> None:
        """A commit was made."""
        self.changes += 1
        self.checked, self.verdict, self.empty = False, "unverified", False


@dataclass
class Context:
    """One run, with everything it needs."""

    product: Product
    bundle: CompanyBundle
    journal: Journal
    workspace: Workspace
    history: History
    hands: Hands
    brief: Brief
    words: Words
    composer: Composer
    crew: Crew
    table: Table
    engine: Engine | None
    """The sandbox; None when there is none."""
    climb: Callable[[str], LadderReport]
    """Climbs the ladder on the product as it is; the text is the step, for the events."""
    fingerprint: Callable[[], str]
    """The hash of the product's files as they are now, counted as the ladder's reports count it."""
    progress: Progress
    _counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def key(self, stem: str) -> str:
        """The next key of this stem: `review.2.code_review/reviewer/said` gives `…/said1`, `…/said2`, …

        Counting starts again with every life of the run, so a resumed walk meets the same keys.
        """
        self._counts[stem] += 1
        return f"{stem}{self._counts[stem]}"
