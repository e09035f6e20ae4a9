"""Tasks from outside the families: what the apprentice must say that it does not know.

They are worded like those of the families, titles and user interfaces included: only the subject tells them apart.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from chatdev.apprentice.curriculum.draw import Draw
from chatdev.apprentice.curriculum.family import families
from chatdev.apprentice.curriculum.model import Slot, Value
from chatdev.apprentice.curriculum.phrasing import phrase, shared
from chatdev.apprentice.curriculum.pools import coined, title

HELD_OUT_UNKNOWN = 100
UIS = ("terminal", "tkinter", "pygame")


def unknown_tasks(seed: int, count: int = 100) -> list[str]:
    """Tasks to train on; the same seed gives the same tasks on every machine."""
    draw = Draw("unknown", seed)
    return [_task(_subject(draw), draw) for _ in range(count)]


def _subject(draw: Draw) -> str:
    """One of the list, or one put together: two hundred learned by heart do not teach what is none of the families.

    A word that nobody taught before a plain one (`a mahjong game`), a word of a family beside one of another trade
    (`a memory allocator`) and the last word of what a family is called (`a genome catalogue`) were taken for the
    family that sounds most like them.
    """
    lists = subjects()
    kind = draw.pick(lists["kinds" if draw.chance(0.5) else "plain"])
    before = str(draw.pick(lists["areas"])) if draw.chance(0.5) else _name(draw)
    ways = (
        draw.pick(lists["taught"]),
        draw.pick(lists["taught"]),
        f"{before} {kind}",
        f"{draw.pick(lists['areas'])} {draw.pick(lists['kinds'])}",
        f"{draw.pick(lists['borrowed'])} {draw.pick(lists['trades'])}",
        f"{before} {draw.pick(_last_words())}",
        f"{before} {draw.pick(_last_words())}",
        draw.pick([f"={_name(draw)}", f"={_name(draw)} for two players", f"game like {_name(draw)}"]),
    )
    return str(draw.pick(ways))


@cache
def _last_words() -> tuple[str, ...]:
    """Last words of what families are called, but for those that say enough by themselves (`a chemistry quiz`)."""
    called = [noun.split() for family in families().values() for noun in family.nouns()]
    alone = {words[0].lstrip("=").lower() for words in called if len(words) == 1} | {"dice", "cipher"}
    alone.remove("calculator")
    return tuple(sorted({words[-1] for words in called if len(words) == 2 and words[-1].lower() not in alone}))


def _name(draw: Draw) -> str:
    """A word in no dictionary, as names of games and programs are to whoever never heard them."""
    one = coined(draw)
    return one.capitalize() if draw.chance(0.5) else one


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
