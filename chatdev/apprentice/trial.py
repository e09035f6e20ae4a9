"""Trying a network on lessons, through the engine: does it write the task's values into the program?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from chatdev.apprentice.course import Course
from chatdev.apprentice.rehearsal import WINDOW, default_company, rehearse
from chatdev.apprentice.slots import settings_of, told_values
from chatdev.llm.base import SayLimits

if TYPE_CHECKING:
    from chatdev.apprentice.curriculum import Lesson

LONGEST = 900
"""Tokens of a reply that is tried."""


def free_slots(network: Any, tokenizer: Any, lessons: Sequence[Lesson]) -> dict[str, float]:
    """Shares of values that stand right in the settings of programs written freely, greedily."""
    from chatdev.llm.local.model import LocalModel, Settings

    model = LocalModel("hf:trial", network, tokenizer, Settings(window=WINDOW))
    right = count = 0
    for lesson in lessons:
        wanted = settings_of(lesson.program.files)
        told = told_values(lesson)
        asked = {name: what for name, what in wanted.items() if any(_is(value, what) for value in told)}
        got = settings_of({"reply": coded(model, lesson)})
        count += len(asked)
        right += sum(got.get(name) == what for name, what in asked.items())
    return {"slots_free": right / max(1, count)}


def coded(model: Any, lesson: Lesson) -> str:
    """What a model answers to the coding prompt of a lesson."""
    from chatdev.chain.crew import Crew

    bundle = default_company()
    told = next(
        event["text"]
        for event in rehearse(lesson, Course(), bundle, None).events
        if event.kind == "told" and event["phase"] == "coding"
    )
    stream = model.open(Crew.head_of(bundle, "programmer", lesson.task))
    stream.hear(told)
    return "".join(stream.say(SayLimits(tokens=LONGEST)))


def _is(value: str, written: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(value)}(?![\w.])", written) is not None
