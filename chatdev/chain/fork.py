"""A fork: a product of its own that shares the past of another up to one step, and goes its own way from there.

The dialogue branches (the journal's events before the step), the software branches (a repository of its own, at the
commit of that moment), and the streams branch (their snapshots). The parent is only read; it may even be at work.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from chatdev.company import CompanyBundle, load_company
from chatdev.errors import UserError
from chatdev.run import product as products
from chatdev.run.files import write_atomic, write_json
from chatdev.run.inbox import Inbox
from chatdev.run.journal import Event, Journal, read_events
from chatdev.run.ledger import Ledger
from chatdev.run.past import counting
from chatdev.run.product import Product
from chatdev.run.report import make_report
from chatdev.run.steps import Step, find_step, head_before, steps_of
from chatdev.software.history import History


@dataclass(frozen=True)
class Change:
    """What is different in the fork."""

    settings: dict[str, str]
    """Settings of the company, such as `model`."""
    roles: dict[str, Path]
    """Role files by the name of the role that each replaces."""
    comment: str = ""
    """Said by the customer to the agent that works next."""


@dataclass(frozen=True)
class Forked:
    """A new fork."""

    product: Product
    step: Step
    commit: str | None


def fork(parent: Product, warehouse: Path, at: str, name: str, change: Change) -> Forked:
    """Make a fork of `parent` that stands before the step `at` (a path as `show` prints it, or an event's id).

    Raises:
        UserError: there is no such step, no name, nobody left to hear the comment, or the changes are no valid company;
            nothing is left behind then.
    """
    if not name.strip():
        raise UserError("a fork needs a name", where=parent.name, fix="Example: --as another-way")
    events, _ = read_events(parent.journal)
    now = counting(events)
    step = find_step(steps_of(now), at, str(parent.root))
    if change.comment and step.path.partition("~")[0] == "final" and not step.replies:
        raise UserError(
            f"nobody works any more from {step.label} on, so nobody would hear the comment",
            where=parent.name,
            fix="Fork at an earlier step; run.py show names them",
        )
    commit = head_before(now, step.first)
    made = products.create(warehouse, name)
    try:
        bundle = _company(parent, made, change)
        _software(parent, made, commit)
        _evidence(parent, made, [event for event in events if event.id < step.first])
        _streams(parent, made)
        lines = b"".join(event.to_line() for event in events if event.id < step.first)
        write_atomic(made.journal, lines)
        if change.comment:
            assistant = bundle.phases[step.phase].assistant if step.phase in bundle.phases else ""
            Inbox(made.inbox).put({"kind": "message", "to": assistant, "text": change.comment})
        _record(parent, made, step, commit, change)
    except BaseException:
        products.discard(made)
        raise
    return Forked(made, step, commit)


def _company(parent: Product, made: Product, change: Change) -> CompanyBundle:
    """The parent's company with the changes, checked as a whole."""
    shutil.copytree(parent.company, made.company)
    for role, path in change.roles.items():
        place = made.company / "roles" / f"{role}.yaml"
        if not place.is_file():
            known = ", ".join(sorted(one.stem for one in place.parent.glob("*.yaml")))
            raise UserError(f'no role "{role}" works in this company', where=parent.name, fix=f"Its roles: {known}")
        try:
            text = path.expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"the role cannot be read ({error})", where=str(path)) from None
        # The fork's roles are found by the names that its phases know.
        text = re.sub(r"^name:.*\n", "", text, flags=re.MULTILINE)
        place.write_text(f"name: {role}\n{text}", encoding="utf-8")
    bundle = load_company(str(made.company), overrides=change.settings)
    bundle.write(made.company)
    return bundle


def _software(parent: Product, made: Product, commit: str | None) -> None:
    """A repository with exactly the commits that lead to `commit`, and their tags."""
    history, source = History(made.root), History(parent.root)
    history.init()
    if commit is None:
        return
    quoted = str(source.git.folder / "objects").replace("\\", "\\\\").replace('"', '\\"')
    theirs = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{quoted}"'}
    history.git.run("update-ref", "refs/heads/main", commit, variables=theirs)
    kept = set(history.git.text("rev-list", commit, "--", variables=theirs).split())
    for tag, sha in source.tags().items():
        if sha in kept:
            history.git.run("update-ref", f"refs/tags/{tag}", sha, variables=theirs)
    history.git.run("repack", "-a", "-d", "-q", variables=theirs)
    history.git.run("read-tree", "--reset", "-u", "HEAD")


def _evidence(parent: Product, made: Product, past: list[Event]) -> None:
    """Screenshots, logs and pictures of the steps that are shared."""
    for step in {event["step"] for event in past if event.kind == "checked"}:
        if (parent.evidence / step).is_dir():
            shutil.copytree(parent.evidence / step, made.evidence / step, dirs_exist_ok=True)
    if (parent.ours / "pictures").is_dir():
        shutil.copytree(parent.ours / "pictures", made.ours / "pictures")


def _streams(parent: Product, made: Product) -> None:
    """Snapshots never change once they are written, so they need no second place on the disk."""
    for path in parent.streams.glob("*.safetensors") if parent.streams.is_dir() else ():
        made.streams.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # the parent may be at work, and thin them out
            try:
                os.link(path, made.streams / path.name)
            except OSError:
                shutil.copy2(path, made.streams / path.name)


def _record(parent: Product, made: Product, step: Step, commit: str | None, change: Change) -> None:
    journal = Journal.open(made.journal)
    try:
        journal.append(
            "forked",
            parent=parent.name,
            folder=str(parent.root),
            step=step.path,
            title=step.title,
            event=step.first,
            commit=commit,
            settings=change.settings,
            roles=sorted(change.roles),
            comment=change.comment,
        )
        ledger = Ledger()
        ledger.read_all(journal.events, made.journal)
        write_json(made.report_file, make_report(made, journal, ledger))
    finally:
        journal.close()
