"""What only shows when a company is seen as a whole.

Contract: `lint` finds names that nothing answers to, loops that cannot end early, prompts that cannot be
filled in and artifacts that are read before they are written: errors. `warnings_of` finds what is there for
nobody: warnings. Both say file and line. Non-goal: taste.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from chatdev.company.artifacts import CHECKS, CONDITIONS, HUMAN
from chatdev.company.bundle import CompanyBundle
from chatdev.company.fields import quoted
from chatdev.company.flow import lint_flow, lint_phase, unread
from chatdev.company.messages import did_you_mean
from chatdev.company.prompts import lint_prompts
from chatdev.company.shelf import Shelf
from chatdev.company.steps import AnyStep, CheckStep, Loop, LoopStep, PhaseStep, every_step
from chatdev.company.tree import where
from chatdev.errors import UserError

Loc = tuple[str | int, ...]


def lint(bundle: CompanyBundle, shelf: Shelf | None = None) -> list[UserError]:
    """Everything that is wrong with a company whose files are each valid by themselves.

    Args:
        shelf: where other names could come from; makes the suggestions better.
    """
    shelf = shelf or Shelf()
    errors = lint_names(bundle, shelf)
    for name in bundle.phases:
        errors += lint_phase(bundle, name)
    errors += lint_prompts(bundle)
    if not errors:  # a missing phase would make its readers look wrong
        errors += lint_flow(bundle, shelf, placed(bundle.company.chain))
    return errors


def warnings_of(bundle: CompanyBundle) -> list[UserError]:
    """What nobody uses: roles without a phase, artifacts without a reader."""
    used = bundle.used_roles()
    found = [
        UserError(
            f"no phase of the chain uses the role {quoted(name)}",
            where=where(bundle.trees["company"], "roles", name),
        )
        for name in bundle.company.roles
        if name not in used
    ]
    return found + unread(bundle)


def placed(steps: Sequence[AnyStep], at: Loc = ("chain",)) -> Iterator[tuple[AnyStep, Loc]]:
    """All steps in chain order with the place of each in the company's YAML."""
    for number, step in enumerate(steps):
        yield step, (*at, number)
        if isinstance(step, LoopStep):
            yield from placed(step.loop.do, (*at, number, "loop", "do"))


def lint_names(bundle: CompanyBundle, shelf: Shelf) -> list[UserError]:
    """Phases, roles and conditions that nothing answers to."""
    tree, errors = bundle.trees["company"], []
    for step, at in placed(bundle.company.chain):
        if isinstance(step, PhaseStep) and step.phase not in bundle.phases:
            if shelf.path("phase", step.phase) is None:
                errors.append(_unknown_phase(step.phase, shelf, where(tree, *at), CHECKS))
        elif isinstance(step, LoopStep):
            found = _condition(bundle, step.loop)
            if found:
                errors.append(UserError(found, where=where(tree, *at, "loop", "until")))
    review = bundle.company.review
    for name in review if isinstance(review, list) else []:
        if name not in bundle.phases:
            place = where(tree, "review", name)
            if shelf.path("phase", name):
                errors.append(UserError(f"review names {quoted(name)}, which is not in the chain", where=place))
            else:
                errors.append(_unknown_phase(name, shelf, place))
    for name in bundle.phases:
        errors += unknown_speakers(bundle, name, shelf)
    return errors + _missing_roles(bundle, shelf)


def _unknown_phase(name: str, shelf: Shelf, place: str, more: Iterable[str] = ()) -> UserError:
    return UserError(f"unknown phase {quoted(name)}{did_you_mean(name, [*shelf.names('phase'), *more])}", where=place)


def _missing_roles(bundle: CompanyBundle, shelf: Shelf) -> list[UserError]:
    """Roles that a phase speaks with and the company does not list; each once."""
    needed: dict[str, str] = {}
    for name, phase in bundle.phases.items():
        for role in (phase.instructor, phase.assistant):
            if role != HUMAN and role not in bundle.company.roles and shelf.path("role", role):
                needed.setdefault(role, name)
    place = where(bundle.trees["company"], "roles")
    return [
        UserError(f"phase {quoted(name)} needs the role {quoted(role)}, which is not listed here", where=place)
        for role, name in needed.items()
    ]


def unknown_speakers(bundle: CompanyBundle, name: str, shelf: Shelf) -> list[UserError]:
    """What is wrong with a phase's instructor and assistant, whatever the company."""
    phase, tree, errors = bundle.phases[name], bundle.trees[f"phase:{name}"], []
    for key, role in (("instructor", phase.instructor), ("assistant", phase.assistant)):
        known = role == HUMAN or role in bundle.roles or shelf.path("role", role)
        if not known:
            errors.append(shelf.unknown("role", role, where(tree, key)))
    if phase.assistant == HUMAN:
        what = "a person can be the instructor of a phase, not the assistant"
        errors.append(UserError(what, where=where(tree, "assistant")))
    elif phase.instructor == phase.assistant and phase.turns > 1:
        what = f"{quoted(phase.assistant)} cannot talk with itself for {phase.turns} turns"
        errors.append(UserError(what, where=where(tree, "assistant")))
    return errors


def _condition(bundle: CompanyBundle, loop: Loop) -> str | None:
    """Why a loop's `until` can never hold, or None when it can."""
    until = loop.until
    if until is None:
        return None
    steps = list(every_step(loop.do))
    inside = [step.phase for step in steps if isinstance(step, PhaseStep)]
    checks = [step.check for step in steps if isinstance(step, CheckStep)]
    subject, dot, what = until.rpartition(".")
    head = f"loop {quoted(loop.name)} can never end by {quoted(until)}"
    if not dot:
        if until not in CONDITIONS:
            known = [word for word in CONDITIONS if "<" not in word] + [f"{name}.done" for name in inside]
            return f"unknown condition {quoted(until)}{did_you_mean(until, known) or _listed(CONDITIONS)}"
        if until == "verified" and "verify" not in checks:
            return f"{head}: there is no `verify` in it"
        if until == "no_placeholders" and not any(_writes_files(bundle, name) for name in inside):
            return f"{head}: no phase in it writes files"
        return None
    if what not in ("done", "unchanged"):
        return f"unknown condition {quoted(until)}{did_you_mean(what, ('done', 'unchanged')) or _listed(CONDITIONS)}"
    if subject not in inside:
        return f"{head}: phase {quoted(subject)} is not in it{did_you_mean(subject, inside)}"
    phase = bundle.phases.get(subject)
    if what == "done" and phase and phase.done_when is None and phase.instructor != HUMAN:
        return f"{head}: phase {quoted(subject)} has no done_when"
    return None


def _listed(words: Iterable[str]) -> str:
    return f" (known: {', '.join(words)})"


def _writes_files(bundle: CompanyBundle, name: str) -> bool:
    phase = bundle.phases.get(name)
    return phase is None or phase.conclusion in ("files", "pictures")
