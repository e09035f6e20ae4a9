"""A family as it lies in its folder: family.yaml, the templates of its logic and its tests, and a shared shape.

families/snake/family.yaml     slots, wordings, plan, manual, defects
families/snake/snake.py.j2     the logic, with its block of settings
families/snake/test.py.j2      its tests
shapes/arcade/tkinter.py.j2    the main.py of all families of that shape, one for each user interface
shapes/arcade/shape.yaml       its plan, its part of the manual, its defects
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from chatdev.apprentice.curriculum.draw import Draw
from chatdev.apprentice.curriculum.model import Choices, Defect, Program, Slot, SlotKind, Value
from chatdev.apprentice.curriculum.phrasing import phrase, shared
from chatdev.apprentice.curriculum.pools import words

HERE = Path(__file__).parent
_JINJA = Environment(
    loader=FileSystemLoader(HERE), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    keep_trailing_newline=True, autoescape=False,
)  # fmt: skip
LANGUAGE_REASON = "Python does this with its standard library, so nothing has to be installed."
PYGAME_REASON = "Python with pygame draws and moves such things in a few lines."


class FolderFamily:
    """One family, read from its folder."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self._folder = folder.relative_to(HERE).as_posix()
        self._own: dict[str, Any] = yaml.safe_load((folder / "family.yaml").read_text(encoding="utf-8"))
        self._shape_folder = f"shapes/{self._own['shape']}"
        shape = (HERE / self._shape_folder / "shape.yaml").read_text(encoding="utf-8")
        self._shape: dict[str, Any] = yaml.safe_load(shape)
        self.kind: str = self._own["kind"]

    def slots(self) -> list[Slot]:
        """What varies in this family; the user interface is the last one."""
        return self._slots

    @cached_property
    def _slots(self) -> list[Slot]:
        found = [_slot(name, spec) for name, spec in self._own["slots"].items()]
        uis = tuple(self._own["uis"])
        says = {ui: tuple(shared()["slots"]["ui"][ui]) for ui in uis}
        return [*found, Slot("ui", "choice", uis[0], uis, phrases=says)]

    def nouns(self) -> tuple[str, ...]:
        """What tasks call programs of this family."""
        return tuple(self._own["nouns"])

    def together(self) -> tuple[str, ...]:
        """Phrases that tell several slots at once."""
        return tuple(self._own.get("together", ()))

    def uis(self) -> tuple[str, ...]:
        """The user interfaces that the family offers, the usual one first."""
        return tuple(self._own["uis"])

    def defaults(self) -> dict[str, Value]:
        """What a task gets that tells nothing."""
        return {slot.name: slot.default for slot in self._slots}

    def phrase(self, choices: Choices, told: Collection[str], rng: Draw) -> str:
        """A task that tells the slots named in `told`; the rest is left open."""
        return phrase(self._own["nouns"], self._slots, self.together(), choices, told, rng)

    def build(self, choices: Choices) -> Program:
        """The program of these choices."""
        known = self._known(choices)
        logic = f"{self._own['module']}.py"
        files = {"main.py": self._main(known), logic: self._file(f"{self._own['module']}.py", known)}
        plan = {"main.py": self._shape["plan"][choices["ui"]], logic: self._own["plan"]}
        modality = self._own.get("modality") or ("Terminal program" if choices["ui"] == "terminal" else "Application")
        return Program(
            modality=modality,
            reason=_rendered(self._own["reason"], known),
            language_reason=PYGAME_REASON if choices["ui"] == "pygame" else LANGUAGE_REASON,
            files=files,
            tests={f"tests/test_{self._own['module']}.py": self._file("test.py", known)},
            manual=self._manual(known),
            plan="\n".join(f"{name}: {_rendered(text, known)}" for name, text in plan.items()),
            defects=tuple(self._defects(files, known)),
        )

    def _known(self, choices: Choices) -> dict[str, Any]:
        """Everything that the templates may name."""
        known = {**self._own.get("words", {}), **choices, "module": self._own["module"]}
        for part in ("fields", "actions", "buttons"):
            rows = [row for row in self._own.get(part, ()) if _true(row.get("when", "true"), known)]
            known[part] = [
                {key: _rendered(text, known) for key, text in {"ask": "number", **row}.items()} for row in rows
            ]
        known["commands"] = ", ".join(["add", *(action["name"] for action in known["actions"]), "quit"])
        return known

    def _main(self, known: Mapping[str, Any]) -> str:
        own = f"{self._folder}/{known['ui']}.py.j2"
        name = own if (HERE / own).is_file() else f"{self._shape_folder}/{known['ui']}.py.j2"
        return _JINJA.get_template(name).render(known)

    def _file(self, name: str, known: Mapping[str, Any]) -> str:
        return _JINJA.get_template(f"{self._folder}/{name}.j2").render(known)

    def _manual(self, known: Mapping[str, Any]) -> str:
        use = self._shape["use"][known["ui"]]
        parts = {
            "about": _rendered(self._own["about"], known).strip(),
            "use": _rendered(self._own.get("use", use), {**known, "shape_use": _rendered(use, known).strip()}).strip(),
        }
        return _JINJA.get_template("shapes/manual.md.j2").render({**known, **parts})

    def _defects(self, files: Mapping[str, str], known: Mapping[str, Any]) -> list[Defect]:
        found: list[Defect] = []
        for spec in [*self._own["defects"], *self._shape.get("defects", ())]:
            if not _true(spec.get("when", "true"), known):
                continue
            path = spec.get("file", f"{self._own['module']}.py")
            text = {k: _rendered(spec[k], known) for k in ("good", "bad", "review", "summary")}
            placed = _placed(files[path], text["good"], text["bad"])
            if placed is None:
                raise ValueError(f"{self.name}: this span is not there just once in {path}: {text['good']!r}")
            found.append(Defect(path, *placed, text["review"].strip(), text["summary"].strip(), spec["seen_by"]))
        return found


def families() -> dict[str, FolderFamily]:
    """All families, by name."""
    return {folder.parent.name: FolderFamily(folder.parent) for folder in sorted(HERE.glob("families/*/family.yaml"))}


def _slot(name: str, spec: Mapping[str, Any]) -> Slot:
    """A slot from its lines in family.yaml."""
    default, needs = spec["default"], spec.get("needs", "")
    says = {str(key).lower(): tuple(forms) for key, forms in _phrases(name, spec).items()}
    if "range" in spec:
        low, high = spec["range"]
        return Slot(name, "number", default, low=low, high=high, step=spec.get("step", 1), phrases=says, needs=needs)
    if isinstance(default, bool):
        return Slot(name, "flag", default, (False, True), phrases=says, needs=needs)
    pool = spec.get("pool", name if name in ("title", "file") else "")
    if pool == "colour":
        return Slot(name, "choice", default, tuple(words()["colours"]), pool=pool, phrases=says, needs=needs)
    if pool:
        kind: SlotKind = "text" if pool in ("title", "words") else "word"
        return Slot(name, kind, default, pool=pool, words=tuple(spec.get("words", ())), phrases=says, needs=needs)
    return Slot(name, "choice", default, tuple(spec["values"]), phrases=says, needs=needs)


def _phrases(name: str, spec: Mapping[str, Any]) -> Mapping[str, list[str]]:
    says: Any = spec.get("says", shared()["slots"].get(name))
    if isinstance(says, list):
        return {"true" if isinstance(spec["default"], bool) else "*": says}
    checked: Mapping[str, list[str]] = says
    return checked


def _rendered(text: str, known: Mapping[str, Any]) -> str:
    return _template(text).render(known)


@cache
def _template(text: str) -> Template:
    return _JINJA.from_string(text)


def _true(condition: str, known: Mapping[str, Any]) -> bool:
    return bool(_expression(condition)(**known))


@cache
def _expression(condition: str) -> Callable[..., Any]:
    return _JINJA.compile_expression(condition)


def _placed(text: str, good: str, bad: str) -> tuple[str, str] | None:
    """The two spans, indented as the first one stands in the text; None when it is not there exactly once."""
    for depth in (0, 4, 8, 12, 16, 20):
        here, there = (re.sub(r"\n(?=[^\n])", "\n" + " " * depth, each.rstrip("\n")) for each in (good, bad))
        if text.count(here) == 1 and (depth == 0 or "\n" in here):
            return here, there
        if depth == 0 and "\n" not in here:
            return None
    return None
