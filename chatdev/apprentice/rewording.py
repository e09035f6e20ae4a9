"""Small rewordings of prompts: what a person might change without meaning anything else.

Words are exchanged for near ones and a sentence that only advises may go; template tags, control lines, file blocks
and lists stay as they are. Deterministic for a given `random.Random`.
"""

from __future__ import annotations

import random
import re

NEAR: dict[str, tuple[str, ...]] = {
    "Write": ("Please write", "Create", "Now write"),
    "whole": ("complete", "entire", "full"),
    "program": ("software", "product", "application"),
    "Send": ("Give", "Return", "Please send"),
    "faults": ("mistakes", "defects", "problems"),
    "fault": ("mistake", "defect", "problem"),
    "Mend": ("Repair", "Correct", "Fix"),
    "summary": ("short account", "analysis"),
    "report": ("result", "protocol"),
    "names": ("mentions", "lists"),
    "Choose": ("Pick", "Take", "Select"),
    "You are": ("You work as", "You act as", "You are"),
    "customer": ("client", "user"),
    "task": ("wish", "order", "job"),
    "shortly": ("briefly",),
    "brief": ("short", "concise"),
    "concrete": ("precise", "specific"),
    "Check in this order": ("Look at these things in turn", "Check these points"),
    "Name up to three": ("Tell at most three", "List up to three"),
    "must": ("should", "has to"),
    "manual": ("user guide", "handbook"),
    "tests": ("checks", "test cases"),
    "complete": ("finished", "whole"),
    "readable": ("clear", "clean"),
    "best": ("most", "well"),
}
_KEPT = re.compile(r"({%.*?%}|{{.*?}}|<[^>\n]*>|`[^`]*`)", re.DOTALL)
_ADVICE = re.compile(
    r"(?<=[.:]) ((?:Standard library first|No empty bodies|At most a page|You |Nothing|If a)[^.\n<{]*\.)"
)


def reword(text: str, rng: random.Random) -> str:
    """`text` said a little differently."""
    strength = rng.random() * 0.5
    parts = _KEPT.split(_without_advice(text, rng, strength / 2))
    return "".join(part if at % 2 else _exchanged(part, rng, strength) for at, part in enumerate(parts))


def _without_advice(text: str, rng: random.Random, strength: float) -> str:
    return _ADVICE.sub(lambda found: "" if rng.random() < strength else found[0], text)


def _exchanged(text: str, rng: random.Random, strength: float) -> str:
    def near(found: re.Match[str]) -> str:
        return rng.choice(NEAR[found[0]]) if rng.random() < strength else found[0]

    return _NEAR.sub(near, text)


_NEAR = re.compile(r"(?<![\w./-])(?:" + "|".join(sorted(map(re.escape, NEAR), key=len, reverse=True)) + r")(?![\w./-])")
