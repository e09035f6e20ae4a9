"""What flows through a chain: every artifact is written before it is read, and read after it is written.

Contract: `lint_phase` looks at one phase by itself, `lint_flow` walks the chain once in order (a loop's
body counts once: its first round has to work), `unread` finds what flows nowhere. Errors name the step of
the chain where the chain is at fault, and the phase's file where the phase is.
"""

from __future__ import annotations

from collections.abc import Iterable

from chatdev.company.artifacts import BUILT_IN, FROM_CHECKS, HUMAN, LOCAL, PRODUCTS, PROMPT_NAMES
from chatdev.company.bundle import CompanyBundle
from chatdev.company.fields import quoted
from chatdev.company.messages import did_you_mean, validated
from chatdev.company.schema import Phase
from chatdev.company.shelf import Shelf
from chatdev.company.steps import AnyStep, CheckStep, PhaseStep
from chatdev.company.templates import only_if_there
from chatdev.company.tree import where
from chatdev.errors import UserError, UserErrors

_KEPT = {**BUILT_IN, **FROM_CHECKS, **LOCAL, **PROMPT_NAMES}


def lint_phase(bundle: CompanyBundle, name: str) -> list[UserError]:
    """Fields of one phase that contradict each other."""
    phase, tree = bundle.phases[name], bundle.trees[f"phase:{name}"]
    return [UserError(what, where=where(tree, *at)) for what, at in _contradictions(phase)]


def _contradictions(phase: Phase) -> Iterable[tuple[str, tuple[str, ...]]]:
    for word in phase.writes:
        if word in _KEPT and word not in PRODUCTS:
            yield f"{quoted(word)} is kept by the framework and cannot be written", ("writes", word)
        elif word in PRODUCTS and phase.conclusion != word:
            yield f"writes {quoted(word)} needs conclusion: {word}", ("writes", word)
        elif phase.conclusion in PRODUCTS and word != phase.conclusion:
            yield f"conclusion: {phase.conclusion} writes {phase.conclusion} and nothing else", ("writes", word)
    if phase.conclusion == "answers" and phase.writes:
        yield "conclusion: answers writes nothing; the answers become part of the task", ("writes",)
    if phase.conclusion == "text" and len(phase.writes) > 1:
        yield "conclusion: text writes one artifact; use conclusion: yaml for several", ("writes",)
    if phase.conclusion == "line" and len(phase.writes) > 2:
        more = "the line and what is said besides it; use conclusion: yaml for more"
        yield f"conclusion: line writes at most two artifacts, {more}", ("writes",)
    if phase.conclusion == "yaml" and not phase.writes:
        yield "conclusion: yaml needs writes", ("conclusion",)
    if phase.choices and phase.conclusion != "line":
        yield "choices needs conclusion: line", ("choices",)
    if phase.choices and phase.default and phase.default.lower() not in (c.lower() for c in phase.choices):
        yield f"default {quoted(phase.default)} is not one of the choices", ("default",)
    for key in ("default", "reflect"):
        if getattr(phase, key) and phase.conclusion not in ("line", "yaml"):
            yield f"{key} needs conclusion: line or yaml; {quoted(phase.conclusion)} always concludes", (key,)
    for key in ("only", "never"):
        if getattr(phase, key) and phase.conclusion not in PRODUCTS:
            yield f"{key} needs conclusion: files; this phase writes none", (key,)
    for key in ("done_when", "stop_when"):
        line = getattr(phase, key)
        if line is not None and (not line.startswith("<INFO>") or "\n" in line):
            yield f"{key} must be one line that begins with <INFO>", (key,)


def lint_flow(
    bundle: CompanyBundle, shelf: Shelf, steps: Iterable[tuple[AnyStep, tuple[str | int, ...]]]
) -> list[UserError]:
    """Artifacts that are read before anything in the chain has written them."""
    errors: dict[tuple[str, str], UserError] = {}
    there = set(BUILT_IN)
    for step, at in steps:
        if isinstance(step, CheckStep):
            there.update(FROM_CHECKS if step.check == "verify" else ())
        elif isinstance(step, PhaseStep):
            phase = bundle.phases[step.phase]
            for word in phase.reads:
                if word not in there | _local(bundle, step.phase) and not _spared(bundle, shelf, word, step.phase):
                    place = where(bundle.trees["company"], *at)
                    errors.setdefault((word, step.phase), _unwritten(bundle, shelf, word, step.phase, place))
            there.update(_written(phase))
    reflection = bundle.company.reflection
    if reflection in bundle.phases and reflection is not None:
        for word in bundle.phases[reflection].reads:
            if word not in there | _local(bundle, reflection):
                place = where(bundle.trees["company"], "chain")
                errors.setdefault((word, reflection), _unwritten(bundle, shelf, word, reflection, place))
    return list(errors.values())


def unread(bundle: CompanyBundle) -> list[UserError]:
    """Artifacts that a phase writes for nobody. Files and pictures are products and need no reader."""
    read = {word for phase in bundle.phases.values() for word in phase.reads}
    return [
        UserError(
            f"nobody reads artifact {quoted(word)}, which phase {quoted(name)} writes",
            where=where(bundle.trees[f"phase:{name}"], "writes", word),
        )
        for name, phase in bundle.phases.items()
        for word in phase.writes
        if word not in read and word not in PRODUCTS
    ]


def _written(phase: Phase) -> set[str]:
    return {*phase.writes, *([phase.conclusion] if phase.conclusion in PRODUCTS else [])}


def _local(bundle: CompanyBundle, name: str) -> set[str]:
    """Names that are there inside this phase only."""
    found = {"comment"} if bundle.phases[name].instructor == HUMAN else set()
    return found | ({"question", "dialogue"} if name == bundle.company.reflection else set())


def _spared(bundle: CompanyBundle, shelf: Shelf, word: str, name: str) -> bool:
    """True for what a prompt shows only if it is there, in a company that does without the phase which writes it."""
    mine = {found for phase in bundle.phases.values() for found in _written(phase)}
    prompts = bundle.phases[name].prompt + (bundle.phases[name].instructor_prompt or "")
    return word not in mine and word in _writers(bundle, shelf) and word in only_if_there(prompts)


def _unwritten(bundle: CompanyBundle, shelf: Shelf, word: str, name: str, step: str) -> UserError:
    """The chain is at fault when some phase could have written the artifact, else the phase that reads it
    is."""
    what = f"nobody writes artifact {quoted(word)} before phase {quoted(name)} reads it"
    if word in LOCAL:
        what = f"phase {quoted(name)} cannot read {quoted(word)}: {LOCAL[word][0].lower()}{LOCAL[word][1:-1]}"
        return UserError(what, where=where(bundle.trees[f"phase:{name}"], "reads", word))
    if word in FROM_CHECKS:
        return UserError(what, where=step, fix="The check `verify` writes it")
    writers = _writers(bundle, shelf)
    if word in writers:
        return UserError(what, where=step, fix=f"Phase {quoted(writers[word])} writes it")
    meant = did_you_mean(word, [*writers, *BUILT_IN, *FROM_CHECKS])
    return UserError(what + meant, where=where(bundle.trees[f"phase:{name}"], "reads", word))


def _writers(bundle: CompanyBundle, shelf: Shelf) -> dict[str, str]:
    """Which phase writes an artifact: those of this company, then all that are on the shelf."""
    found = {word: name for name, phase in bundle.phases.items() for word in _written(phase)}
    for name in shelf.names("phase"):
        path = shelf.path("phase", name)
        try:
            phase = validated(Phase, shelf.tree(path))[0] if path and name not in bundle.phases else None
        except UserErrors:
            continue
        for word in _written(phase) if phase else ():
            found.setdefault(word, name)
    return found
