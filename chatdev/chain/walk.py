"""The walk through a company's chain: phases, checks and nested loops, in order.

Every step has a path that names it: `coding`, `review.2.code_review`. A loop asks its condition before every step and
ends the moment it holds. A resumed run walks the same path again from the beginning; what the journal knows is not
done again (see `run.journal`), so the walk reaches the first new step at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from chatdev.chain import checks
from chatdev.chain.context import Context
from chatdev.chain.phase import PhaseRun
from chatdev.company import Phase
from chatdev.company.steps import CheckStep, LoopStep, PhaseStep
from chatdev.errors import Stop

AnyStep = PhaseStep | CheckStep | LoopStep


def walk(ctx: Context) -> str:
    """Go through the whole chain and return the verdict on the product as it lies there.

    The last word is always the ladder's, on exactly the files that lie there: when anything changed after the last
    `verify` (a commit, or a person's hand since an earlier life), or there was none, it is climbed at the end.
    """
    _steps(ctx, ctx.bundle.company.chain, "")
    while not ctx.progress.checked or ctx.progress.fingerprint != ctx.fingerprint():
        checks.verify(ctx, "final")
    return ctx.progress.verdict


def _steps(ctx: Context, steps: Sequence[AnyStep], under: str) -> None:
    seen: dict[str, int] = {}
    for step in steps:
        name = _name(step)
        seen[name] = seen.get(name, 0) + 1
        _step(ctx, step, f"{under}{name}" + (f"-{seen[name]}" if seen[name] > 1 else ""))


def _step(ctx: Context, step: AnyStep, path: str) -> None:
    if isinstance(step, LoopStep):
        _loop(ctx, step, path)
    elif isinstance(step, CheckStep):
        checks.verify(ctx, path) if step.check == "verify" else checks.placeholders(ctx, path)
    else:
        _phase(ctx, step.applied(ctx.bundle.phases[step.phase]), path)


def _phase(ctx: Context, phase: Phase, path: str) -> None:
    """Run a phase; again when a person rejects it. One that leaves the product without any file is an end, as one whose
    agent gives up is, and a resumed run asks anew."""
    reason = None
    for attempt in itertools.count(1):
        here = path if attempt == 1 else f"{path}~{attempt}"
        if "placeholders" in phase.reads:
            checks.placeholders(ctx, here)
        outcome = PhaseRun(ctx, phase, here, reason).run()
        if outcome.changed:
            ctx.history.tag(here)
        if outcome.gave_up is not None:
            _give_up(ctx, here, outcome.gave_up)
            continue  # a person's reason to reject it stays
        reason = outcome.rejected
        if reason is not None:
            continue
        if phase.conclusion != "files" or not ctx.progress.empty or ctx.brief.has("existing"):
            return
        if ctx.journal.recorded(f"{here}/empty") is None:
            ctx.journal.append("empty", f"{here}/empty", step=here)
            raise Stop(f'"{phase.title}" ended without a single file; resume asks again')


def _give_up(ctx: Context, path: str, why: str) -> None:
    """The company cannot do this: an end, and a resumed run (with another model, say) asks anew."""
    if ctx.journal.recorded(f"{path}/gave_up") is None:
        ctx.journal.append("gave_up", f"{path}/gave_up", step=path)
        raise Stop(why)


def _loop(ctx: Context, step: LoopStep, path: str) -> None:
    loop = step.loop
    before: int | None = None
    for turn in range(1, loop.times + 1):
        start = ctx.progress.changes
        for number, inner in enumerate(loop.do):
            # Only at the beginning of a round has a whole round just ended.
            if checks.holds(ctx, loop.until, f"{path}.{turn}.{number}", before if number == 0 else None):
                blind = loop.until == "verified" and ctx.progress.blind
                _ended(ctx, path, turn, number, "nothing can be run here" if blind else loop.until)
                return
            _step(ctx, inner, f"{path}.{turn}.{_name(inner)}" + _again(loop.do, number))
        before = start
    _ended(ctx, path, loop.times + 1, 0, None)


def _again(steps: Sequence[AnyStep], number: int) -> str:
    """`-2` for the second step of the same name in one round."""
    names = [_name(step) for step in steps[: number + 1]]
    count = names.count(names[-1])
    return f"-{count}" if count > 1 else ""


def _ended(ctx: Context, path: str, turn: int, number: int, until: str | None) -> None:
    rounds = turn - 1 + (1 if number else 0)
    ctx.journal.once("loop_ended", ctx.key(f"{path}/ended"), lambda: {"loop": path, "rounds": rounds, "until": until})


def _name(step: AnyStep) -> str:
    if isinstance(step, LoopStep):
        return step.loop.name
    return step.check if isinstance(step, CheckStep) else step.phase
