"""Instead of the import rung, for languages that are compiled: the product builds."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chatdev.sandbox.config import SandboxConfig
from chatdev.sandbox.entry import Entry
from chatdev.sandbox.job import Run, Step
from chatdev.sandbox.report import Rung, shorten
from chatdev.sandbox.traces import plain

PREFIX = "build:"
Lacks = Sequence[tuple[re.Pattern[str], str]]


def build_steps(entry: Entry, config: SandboxConfig) -> list[Step]:
    """The build commands, each on what the one before left."""
    return [
        Step(f"{PREFIX}{number}", list(command), seconds=config.seconds, fresh=number == 0)
        for number, command in enumerate(entry.build)
    ]


def judge_build(runs: Sequence[Run], lacks: Lacks = ()) -> Rung:
    """The build rung; the compiler's own words are its details. `lacks`: the words by which it misses something that
    is the box's to have.
    """
    seconds = sum(r.seconds for r in runs)
    for run in runs:
        if run.exit_code == 0:
            continue
        said = plain(run.stderr.text + run.stdout.text).strip()
        if run.error.startswith("cannot start"):
            return Rung("build", "unverified", run.error, seconds=seconds)
        if run.exit_code is not None and (what := what_lacks(said, lacks)):
            return Rung("build", "unverified", f"the build needs {what}", shorten(said, 3000))
        why = f"the {run.limit} limit" if run.limit else f"exit status {run.exit_code}"
        first = next(
            (line for line in said.splitlines() if "error" in line.lower()), said.splitlines()[0] if said else ""
        )
        summary = run.error or f"{why}: {first[:300]}"
        return Rung("build", "failed", summary, shorten(said, 3000), (f"{run.name}.stderr.txt",), seconds)
    warnings = sum(run.stderr.text.count("warning:") for run in runs)
    return Rung("build", "passed", "it builds" + (f", with {warnings} warnings" if warnings else ""), seconds=seconds)


def what_lacks(said: str, lacks: Lacks) -> str:
    """What is not there, by the words that miss it; "" when these are no such words."""
    found = next(((found, what) for pattern, what in lacks if (found := pattern.search(said))), None)
    return found[0].expand(found[1])[:200] if found else ""
