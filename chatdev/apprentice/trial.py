"""Trying a network on lessons, through the engine: does it list the task's values when it analyses the task?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from chatdev.apprentice.course import Course
from chatdev.apprentice.rehearsal import WINDOW, default_company, rehearse
from chatdev.apprentice.slots import agreed, settings_of, told_values
from chatdev.llm.base import SayLimits

if TYPE_CHECKING:
    from chatdev.apprentice.curriculum import Lesson

LONGEST = 500
"""Tokens of a reply that is tried."""


def free_slots(network: Any, tokenizer: Any, lessons: Sequence[Lesson]) -> dict[str, float]:
    """Shares of values that stand right in what is listed freely, greedily, in the first reply of a run."""
    from chatdev.llm.local.model import LocalModel, Settings

    model = LocalModel("hf:trial", network, tokenizer, Settings(window=WINDOW))
    right = count = 0
    for lesson in lessons:
        wanted = settings_of({"list": agreed(lesson)})
        told = told_values(lesson)
        asked = {name: what for name, what in wanted.items() if any(_is(value, what) for value in told)}
        got = settings_of({"list": analysed(model, lesson.task)})
        count += len(asked)
        right += sum(got.get(name) == what for name, what in asked.items())
    return {"slots_free": right / max(1, count)}


def analysed(model: Any, task: str) -> str:
    """What a model answers when a task is analysed."""
    from chatdev.chain.crew import Crew

    bundle = default_company()
    events = rehearse(None, Course(unknown=True), bundle, None, task=task).events
    stream = model.open(Crew.head_of(bundle, bundle.phases["demand_analysis"].assistant, task))
    stream.hear(next(event["text"] for event in events if event.kind == "told"))
    return "".join(stream.say(SayLimits(tokens=LONGEST)))


def _is(value: str, written: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(value)}(?![\w.])", written) is not None
