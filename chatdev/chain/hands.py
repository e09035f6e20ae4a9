"""A person's own hands: files edited while the company is at work, or between two lives of a run.

What a person changed is theirs: it becomes a commit of `Human` before the company goes on, so it is never lost and the
agents are shown it. After a crash in the middle of writing, the files that stand exactly as they were to be written are
the company's own; anything else that differs is put aside, and laid back on top as the person's commit. What a person
decides at a review (an edit, or to take a phase's work back) is written under a key, as the company's own work is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from chatdev.chain.brief import version_of_bytes

if TYPE_CHECKING:
    from chatdev.chain.context import Progress
    from chatdev.run.journal import Journal
    from chatdev.software.history import History
    from chatdev.software.workspace import Workspace


class Hands:
    """Finds hand edits and commits them."""

    def __init__(
        self, journal: Journal, history: History, workspace: Workspace, progress: Progress, born: float
    ) -> None:
        self._journal, self._history, self._workspace = journal, history, workspace
        self._progress, self._born = progress, born

    def date(self) -> datetime:
        """The date of the next commit: seconds counted from the start of the run (see docs/decisions.md)."""
        commits = sum(1 for event in self._journal.of_kind("committed") if event["sha"])
        return datetime.fromtimestamp(self._born + commits + 1, tz=timezone.utc)

    def keep(self, step: str) -> None:
        """Commit whatever differs from the last commit as the person's."""
        edited = self._history.dirty()
        if not edited:
            return
        made = self._history.commit("Edited by hand", "Human", "human@chatdev.invalid", {"Phase": "hand"}, self.date())
        if made is not None:
            self._progress.checked = False
            text = f"kept what was edited by hand: {', '.join(edited)}"
            self._journal.append("notice", text=text, step=step, sha=made.sha)

    def decided(
        self, key: str, step: str, phase: str, message: str, change: Callable[[], None], contents: Mapping[str, str]
    ) -> str | None:
        """Make a change that a person decided on one commit of theirs; returns its id, None when nothing changed.

        Args:
            key: of the event `committed`; what has it already is not done again.
            change: writes the files; doing so twice is the same as once.
            contents: what will be written, as in `aside`.
        """

        def write() -> dict[str, Any]:
            intent = self._journal.recorded(f"{key}/intent")
            commit = self._history.find("Journal", key, since=intent["head"]) if intent is not None else None
            if intent is None:
                self._journal.append("writing", f"{key}/intent", head=self._history.head(), contents=dict(contents))
            if commit is None:
                with self.aside(contents if intent is not None else {}, step):
                    change()
                    trailers = {"Phase": phase, "Turn": step, "Journal": key}
                    commit = self._history.commit(message, "Human", "human@chatdev.invalid", trailers, self.date())
            return {
                "sha": commit.sha if commit else None,
                "author": "human",
                "phase": phase,
                "message": commit.message if commit else "",
                "files": [vars(change) for change in commit.files] if commit else [],
            }

        event = self._journal.once("committed", key, write)
        if event["sha"]:
            self._progress.committed()
        return str(event["sha"]) if event["sha"] else None

    @contextmanager
    def aside(self, contents: Mapping[str, str], step: str) -> Iterator[None]:
        """Put hand edits aside while the company finishes what a crash interrupted, then keep them on top.

        Args:
            contents: what was to be written when the run broke off: version by path, empty for a deletion. Without
                any, nothing was interrupted and nothing is put aside.
        """
        edits = {path: data for path, data in self._now(contents) if not self._planned(contents, path, data)}
        yield
        for path, data in edits.items():
            if data is not None:
                self._workspace.write_bytes(path, data)
            else:
                (self._workspace.root / path).unlink(missing_ok=True)
        if edits:
            self.keep(step)

    def pending(self) -> bool:
        """True when the last life broke off between saying what it would write and having written it."""
        intents = [event.key for event in self._journal.of_kind("writing")]
        return bool(intents) and self._journal.recorded(str(intents[-1]).removesuffix("/intent")) is None

    def _now(self, contents: Mapping[str, str]) -> list[tuple[str, bytes | None]]:
        found: list[tuple[str, bytes | None]] = []
        for path in self._history.dirty() if contents else []:
            place = self._workspace.root / path
            found.append((path, place.read_bytes() if place.is_file() and not place.is_symlink() else None))
        return found

    @staticmethod
    def _planned(contents: Mapping[str, str], path: str, data: bytes | None) -> bool:
        return contents.get(path) == ("" if data is None else version_of_bytes(data))
