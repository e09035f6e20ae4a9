"""Tasks from outside the families: what the apprentice must say that it does not know.

They are worded like those of the families, titles and user interfaces included: only the subject tells them apart.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from chatdev.apprentice.curriculum.draw import Draw
from chatdev.apprentice.curriculum.model import Slot, Value
from chatdev.apprentice.curriculum.phrasing import phrase, shared
from chatdev.apprentice.curriculum.pools import title

HELD_OUT_UNKNOWN = 100
LISTED = 0.4
"""Of the subjects that are taught, those of the list."""
UIS = ("terminal", "tkinter", "pygame")


def unknown_tasks(seed: int, count: int = 100) -> list[str]:
    """Tasks to train on; the same seed gives the same tasks on every machine."""
    draw = Draw("unknown", seed)
    return [_task(_subject(draw), draw) for _ in range(count)]


def _subject(draw: Draw) -> str:
    """One of the list, or one put together: two hundred learned by heart do not teach what is none of the families."""
    if draw.chance(LISTED):
        return str(draw.pick(subjects()["taught"]))
    return f"{draw.pick(subjects()['areas'])} {draw.pick(subjects()['kinds'])}"


@cache
def held_out_unknown() -> list[str]:
    """The fixed tasks that nothing is trained on; each has a subject of its own, and none that is taught."""
    return [_task(each, Draw("unknown, held out", each)) for each in subjects()["held_out"][:HELD_OUT_UNKNOWN]]


@cache
def subjects() -> dict[str, Any]:
    """The lists of unknown.yaml."""
    text = (Path(__file__).parent / "unknown.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def _task(subject: str, draw: Draw) -> str:
    detail = draw.pick(subjects()["details"])
    noun = f"{subject} {detail}".strip()
    slots = [
        Slot("title", "text", "", phrases=shared()["slots"]["title"]),
        Slot("ui", "choice", "", UIS, phrases=shared()["slots"]["ui"]),
    ]
    choices: dict[str, Value] = {"title": title((), draw), "ui": draw.pick(UIS)}
    told = [slot.name for slot in slots if draw.chance(0.25)]
    return phrase([noun], slots, (), choices, told, draw)
