"""Open sets that slot values come from: titles, names, files, colours, words.

They are made larger than anything a model could learn by heart: half of the words are built of syllables.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from chatdev.apprentice.curriculum.draw import Draw
from chatdev.apprentice.curriculum.model import Slot, Value

_HERE = Path(__file__).parent


@cache
def words() -> dict[str, Any]:
    """The word lists of words.yaml."""
    loaded: dict[str, Any] = yaml.safe_load((_HERE / "words.yaml").read_text(encoding="utf-8"))
    return loaded


def value_of(slot: Slot, draw: Draw) -> Value:
    """A value for a slot."""
    if slot.kind in ("choice", "flag"):
        return draw.pick(slot.tellable() or slot.values)
    if slot.kind == "number":
        return slot.low + slot.step * draw.below((slot.high - slot.low) // slot.step + 1)
    if slot.pool == "title":
        return title(slot.words, draw)
    if slot.pool == "name":
        return draw.pick(words()["first_names"]) if draw.chance(0.4) else coined(draw).capitalize()
    if slot.pool == "file":
        return f"{word(draw)}{draw.pick(['', '', '_' + word(draw), str(draw.between(1, 99))])}{slot.words[0]}"
    if slot.pool == "words":
        return ", ".join(f'"{each}"' for each in _different(draw))
    return word(draw)


def coined(draw: Draw) -> str:
    """A pronounceable word that is in no dictionary."""
    heads: list[str] = words()["syllables"]
    tails: list[str] = words()["endings"]
    return "".join(draw.pick(heads) for _ in range(draw.between(1, 2))) + draw.pick(tails)


def word(draw: Draw) -> str:
    """One word in small letters, real or coined."""
    real: str = draw.pick(words()["nouns"])
    return real if draw.chance(0.5) else coined(draw)


def title(own: tuple[str, ...], draw: Draw) -> str:
    """A name for a program, two or three words mostly, often with a word of its family in it."""
    adjective, noun = draw.pick(words()["adjectives"]), word(draw)
    last = draw.pick(own) if own and draw.chance(0.5) else draw.pick(words()["nouns"])
    made = draw.pick(
        [
            f"{adjective} {last}",
            f"{adjective} {noun} {last}",
            f"{coined(draw)} {last}",
            f"{coined(draw)} {coined(draw)}",
            f"{coined(draw)}",
            f"{noun} {last} {draw.between(2, 999)}",
            f"the {adjective} {noun}",
        ]
    )
    return " ".join(each[:1].upper() + each[1:] for each in made.split())


def _different(draw: Draw) -> list[str]:
    """Three to five different words of at least four letters."""
    found: list[str] = []
    count = draw.between(3, 5)
    while len(found) < count:
        new = word(draw)
        if new not in found and len(new) > 3:
            found.append(new)
    return found
