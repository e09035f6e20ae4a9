"""Tasks in many wordings: which slots are told is given, how they are told is drawn."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from chatdev.apprentice.curriculum.draw import Draw
from chatdev.apprentice.curriculum.model import Choices, Slot

_ADVERBS = (
    "as", "based", "called", "for", "in", "made", "named", "on", "that", "titled", "to", "using", "where", "which",
    "with", "without",
)  # fmt: skip
"""A phrase that begins with one of these follows the noun; one that ends with a full stop is a sentence; any other
is a thing that the program has."""


@cache
def shared() -> dict[str, Any]:
    """The wordings of phrases.yaml."""
    text = (Path(__file__).parent / "phrases.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def phrase(
    nouns: Sequence[str],
    slots: Sequence[Slot],
    together: Sequence[str],
    choices: Choices,
    told: Collection[str],
    draw: Draw,
) -> str:
    """A task that tells the slots named in `told`, and no other.

    Args:
        nouns: what programs of the family are called; a leading "=" means that it takes no article.
        together: phrases that tell several slots at once, such as "a field of {width} x {height} cells".
    """
    said = _said(slots, together, choices, told, draw)
    sentences = [each for each in said if each.endswith(".")]
    adverbs = [each for each in said if each not in sentences and each.split()[0] in _ADVERBS]
    things = [each for each in said if each not in sentences and each not in adverbs]
    if draw.chance(0.1):
        adverbs.append(draw.pick(shared()["extras"]))
    task = _opened(draw.pick(nouns), adverbs, draw)
    if things and draw.chance(0.6):
        task += draw.pick(shared()["joins"]).format(list=_listed(things))
        things = []
    if things and draw.chance(0.25):
        return task + ":" + "".join(f"\n- {each}" for each in [*things, *(s.rstrip(".") for s in sentences)])
    sentences += [draw.pick(shared()["sentences"]).format(x=each) for each in things]
    closer: str = draw.pick(shared()["closers"])
    if sentences or closer:
        task += "."
        task = task[:1].upper() + task[1:]
    elif draw.chance(0.3):
        task += "."
    return " ".join([task, *draw.some(sentences, len(sentences))]) + closer


def _said(
    slots: Sequence[Slot], together: Sequence[str], choices: Choices, told: Collection[str], draw: Draw
) -> list[str]:
    """One phrase for each told slot, or for several of them."""
    said: list[str] = []
    rest = [slot for slot in slots if slot.name in told]
    for both in draw.some(list(together), len(together)):
        named = set(re.findall(r"\{(\w+)\}", both))
        if named <= {slot.name for slot in rest} and draw.chance(0.7):
            said.append(filled(both, choices))
            rest = [slot for slot in rest if slot.name not in named]
    for slot in rest:
        said.append(filled(draw.pick(slot.forms(choices[slot.name])), choices))
    return draw.some(said, len(said))


def filled(form: str, choices: Choices) -> str:
    """The form with its values; "a" becomes "an" where the value asks for it."""

    def article(found: re.Match[str]) -> str:
        value = str(choices[found[1]])
        return f"an {value}" if value[0] in "aeiou8" or value in ("11", "18") else f"a {value}"

    filled = re.sub(r"\ba \{(\w+)\}", article, form)
    return filled.format_map(dict(choices))


def _opened(noun: str, adverbs: list[str], draw: Draw) -> str:
    plain = noun.lstrip("=")
    article = "" if noun.startswith("=") else "an " if _vowel(plain) else "a "
    tail = "".join(f" {each}" for each in adverbs)
    opener: str = draw.pick(shared()["openers"])
    return opener.format(a=f"{article}{plain}{tail}", noun=f"{plain}{tail}")


def _vowel(text: str) -> bool:
    """The text asks for "an": it begins with a vowel, or with a letter that is spelled out and sounds like one."""
    first = text.split()[0]
    return (
        first[0] in "aeioAEIO8"
        or (first[0] in "uU" and not first.isupper() and first[:3].lower() != "uni")
        or (first.isupper() and first[0] in "FHLMNRSX")
    )


def _listed(things: list[str]) -> str:
    return things[0] if len(things) == 1 else f"{', '.join(things[:-1])} and {things[-1]}"
