"""The options of a training: what they may be, and the file that remembers them.

All of them are checked before anything is written, as a folder keeps the options of its first start for good.
"""

from __future__ import annotations

import difflib
import importlib
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from chatdev.apprentice.folders import check_model, reason, room_for
from chatdev.apprentice.network import SHAPES
from chatdev.apprentice.shards import CURRICULUM, Making
from chatdev.errors import UserError
from chatdev.run.files import write_json

GROWING = ("lessons", "lists", "programs", "endless")
"""Options that may be raised later."""
CHOICES = {"shape": tuple(SHAPES), "optimizer": ("adamw", "muon")}
MANY = 10**15
RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("tokens", "batch", "lessons", "measure", "shortest"), (1, MANY)),
    **dict.fromkeys(("lists", "programs", "endless"), (0, MANY)),
    **dict.fromkeys(("drills", "alone", "kept", "grown", "built"), (0, 1)),
    **dict.fromkeys(("emphasis", "opening"), (0, 1000)),
    "cooled": (0.001, 1),
    "lr": (1e-9, 1),
    "vocabulary": (0, 1_000_000),
    "seed": (-(2**63), 2**63 - 1),
}
"""The smallest and the largest number that makes sense; torch takes seeds of 64 bits."""
PARTS = ("FAMILIES", "lesson", "is_held_out", "held_out", "unknown_tasks", "digest")
"""What a module must have to be a curriculum."""


@dataclass(frozen=True)
class Options:
    """What the first start of a training decides."""

    shape: str = "full"
    tokens: int = 300_000_000
    batch: int = 65_536
    lr: float = 2e-3
    optimizer: str = "adamw"
    drills: float = 0.35
    alone: float = 0.05
    kept: float = 1.0
    shortest: int = 384
    grown: float = 0.3
    emphasis: float = 2.0
    opening: float = 4.0
    built: float = 0.25
    lessons: int = 20_000
    vocabulary: int = 0
    seed: int = 0
    measure: int = 20_000_000
    curriculum: str = CURRICULUM
    families: tuple[str, ...] = ()
    lists: int = 40_000
    programs: int = 0
    endless: int = 0
    base: str = ""
    cooled: float = 0.25

    def __post_init__(self) -> None:
        object.__setattr__(self, "families", tuple(self.families))  # a file holds them as a list

    def making(self, out: Path) -> Making:
        """How this training's data is made."""
        return Making(str(out / "tokenizer"), self.seed, self.curriculum, self.families)


def amount(text: str) -> int:
    """`300M`, `20k` or a plain number.

    Raises:
        UserError: it is none.
    """
    factor = {"k": 1_000, "m": 1_000_000, "g": 1_000_000_000}.get(text[-1:].lower(), 1)
    try:
        return int(float(text[:-1] if factor > 1 else text) * factor)
    except (ValueError, OverflowError):
        raise UserError(f'"{text}" is no amount', fix="Write it like 300M, 20k or 65536") from None


def fault(name: str, value: Any) -> str:
    """Why an option cannot have a value; empty when it can."""
    if name in CHOICES:
        return "" if value in CHOICES[name] else f"{value!r} is none of {', '.join(CHOICES[name])}"
    if name == "families":
        fits = isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value)
        return "" if fits else f"{value!r} is no list of names"
    usual = getattr(Options(), name)
    kinds = (int, float) if isinstance(usual, float) else type(usual)
    if isinstance(value, bool) or not isinstance(value, kinds):
        return f"{value!r} is no {'text' if isinstance(usual, str) else 'number of this kind'}"
    least, most = RANGES.get(name, (0, 0))
    if name in RANGES and not least <= value <= most:  # nan is in no range
        return f"{value} is not {least:,} or more" if most == MANY else f"{value} is not between {least:,} and {most:,}"
    return ""


def remembered(out: Path, given: dict[str, Any]) -> Options:
    """The options of a training: those of its first start, or new ones. More lessons may be given later.

    Raises:
        UserError: one of them is another now, or cannot be; then nothing was written.
    """
    room_for(out)
    path = out / "options.json"
    if not path.is_file():
        options = replace(Options(), **given)
        check(options)
        write_json(path, asdict(options))
        return options
    options = read(path)
    other = {name: value for name, value in given.items() if getattr(options, name) != value}
    if other and all(name in GROWING and value > getattr(options, name) for name, value in other.items()):
        options = replace(options, **other)
        check(options)
        write_json(path, asdict(options))
        return options
    if other:
        raise UserError(
            f"this training was begun with other options ({', '.join(sorted(other))})",
            where=str(path),
            fix="Leave them out, or name another folder",
        )
    check(options)
    return options


def read(path: Path) -> Options:
    """The options in a file.

    Raises:
        UserError: it is damaged, or holds what no training has.
    """
    fix = "Mend the file, or name another folder"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"these options cannot be read ({reason(error)})", where=str(path), fix=fix) from error
    if not isinstance(found, dict):
        raise UserError("these are no options", where=str(path), fix=fix)
    known = [one.name for one in fields(Options)]
    for name, value in found.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f'Is "{near[0]}" meant? ' if near else ""
            raise UserError(f'a training has no option "{name}"', where=str(path), fix=hint + fix)
        if why := fault(name, value):
            raise UserError(f'"{name}" cannot be that: {why}', where=str(path), fix=fix)
    return Options(**found)


def check(options: Options) -> None:
    """Look at what the options name: curriculum, families, the model to begin from.

    Raises:
        UserError: it is not there, or not what it should be.
    """
    check_curriculum(options.curriculum)
    options.making(Path()).taught()
    if options.base:
        check_model(Path(options.base))


def check_curriculum(name: str) -> None:
    """Import a curriculum.

    Raises:
        UserError: there is no such module, or it is none.
    """
    fix = f"Name a module, such as {CURRICULUM}"
    try:
        found = importlib.import_module(name)
    except (ImportError, SyntaxError, TypeError, ValueError) as error:
        raise UserError(f"this curriculum cannot be imported ({reason(error)})", where=name, fix=fix) from error
    missing = [part for part in PARTS if not hasattr(found, part)]
    if missing:
        raise UserError(f"this module is no curriculum (it has no {', '.join(missing)})", where=name, fix=fix)
