"""The chain as a picture needs it: a tree of steps with names to show, and which of them a step's path means.

    review.2.code_review  →  review.code_review        a round of a loop
    coding~2, coding-2    →  coding, coding-2          asked again; the second step of that name
    coding.reflection     →  coding                    a phase within a phase

This is the naming of `chain.walk`, read backwards.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from chatdev.company import CompanyBundle
from chatdev.company.steps import AnyStep, CheckStep, LoopStep

FINAL = "final"
"""The check at the end of every chain."""
CHECK_TITLES = {"verify": "Verify", "placeholders": "Unfinished places"}


def chain_tree(bundle: CompanyBundle) -> list[dict[str, Any]]:
    """Steps as `{id, kind, title, …}`; loops hold their steps in `do`."""
    return _steps(bundle, bundle.company.chain, "")


def _steps(bundle: CompanyBundle, steps: Sequence[AnyStep], under: str) -> list[dict[str, Any]]:
    seen: dict[str, int] = {}
    found = []
    for step in steps:
        name = _name(step)
        seen[name] = seen.get(name, 0) + 1
        path = f"{under}{name}" + (f"-{seen[name]}" if seen[name] > 1 else "")
        found.append(_step(bundle, step, path))
    return found


def _step(bundle: CompanyBundle, step: AnyStep, path: str) -> dict[str, Any]:
    if isinstance(step, LoopStep):
        loop = step.loop
        inside = _steps(bundle, loop.do, f"{path}.")
        return {
            "id": path,
            "kind": "loop",
            "title": loop.name,
            "times": loop.times,
            "until": loop.until or "",
            "do": inside,
        }
    if isinstance(step, CheckStep):
        return {"id": path, "kind": "check", "title": CHECK_TITLES[step.check]}
    phase = step.applied(bundle.phases[step.phase])
    titles = {name: role.title for name, role in bundle.roles.items()} | {"human": "You"}
    who = [titles.get(name, name) for name in (phase.instructor, phase.assistant)]
    review = bundle.company.review
    return {
        "id": path,
        "kind": "phase",
        "title": phase.title,
        "phase": phase.name,
        "who": [phase.instructor, phase.assistant],
        "titles": who,
        "turns": phase.turns,
        "reads": list(phase.reads),
        "writes": list(phase.writes),
        "asks": phase.instructor == "human" or review == "all" or phase.name in review,
    }


def _name(step: AnyStep) -> str:
    if isinstance(step, LoopStep):
        return step.loop.name
    return step.check if isinstance(step, CheckStep) else step.phase


def node_ids(tree: Sequence[dict[str, Any]]) -> set[str]:
    """The ids of all steps of a tree."""
    return {FINAL} | {one["id"] for one in tree} | {name for one in tree for name in node_ids(one.get("do", []))}


def node_of(path: str, known: set[str]) -> str:
    """The id of the step that a path in the journal means; empty when none does."""
    parts = [re.sub(r"~\d+$", "", part) for part in path.split(".") if not part.isdigit()]
    while parts:
        if ".".join(parts) in known:
            return ".".join(parts)
        parts.pop()
    return ""


def rounds_of(path: str) -> dict[str, int]:
    """Loop id to round, for every loop a path goes through: `test.2.verify` gives `{"test": 2}`."""
    found: dict[str, int] = {}
    names: list[str] = []
    for part in path.split("."):
        if part.isdigit() and names:
            found[".".join(names)] = int(part)
        else:
            names.append(part)
    return found
