"""A company with everything it needs: the roles and phases it uses, ready to run.

Contract: what `load_company` returns. `write` puts it into a folder in such a way that
`load_company(folder)` reads an equal bundle, whatever has changed in the library since; that is what
resuming a run relies on.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from chatdev.company.safe_yaml import Map
from chatdev.company.schema import Company, Phase, Role
from chatdev.company.steps import PhaseStep, every_step
from chatdev.errors import UserError


@dataclass
class CompanyBundle:
    """One company, complete and checked."""

    company: Company
    roles: dict[str, Role]
    """By name: every role the company lists."""
    phases: dict[str, Phase]
    """By name: every phase of the chain, and the reflection phase if one of them can need it."""
    sources: dict[str, Path] = field(default_factory=dict, compare=False)
    """The files these came from: `company`, `role:NAME`, `phase:NAME`."""
    warnings: list[UserError] = field(default_factory=list, compare=False)
    """What is not wrong, but probably not meant."""
    trees: dict[str, Map] = field(default_factory=dict, compare=False, repr=False)
    """The YAML behind each of `sources`, with line numbers; for the linter."""
    words: Path | None = field(default=None, compare=False)
    """The `words.yaml` of the user's folder, if it has one."""

    def used_phases(self) -> list[str]:
        """Names of the chain's phases in the order of their first use, then the reflection phase."""
        chain = [step.phase for step in every_step(self.company.chain) if isinstance(step, PhaseStep)]
        names = [name for name in dict.fromkeys(chain) if name in self.phases]
        return names + [name for name in self.phases if name not in names]

    def used_roles(self) -> list[str]:
        """Names of the roles that a used phase speaks with, in the order the company lists them."""
        speaking = {
            role for name in self.used_phases() for role in (self.phases[name].instructor, self.phases[name].assistant)
        }
        return [name for name in self.roles if name in speaking]

    def make_models(self, change: Callable[[str], str]) -> None:
        """Rewrite the name of every model, such as a path that shall hold from another folder too."""
        self.company = self.company.model_copy(update={"model": change(self.company.model)})
        uses = {
            name: use.model_copy(update={"model": change(use.model)}) if use.model else use
            for name, use in self.company.roles.items()
        }
        self.company = self.company.model_copy(update={"roles": uses})
        for name, role in self.roles.items():
            if role.model:
                self.roles[name] = role.model_copy(update={"model": change(role.model)})

    def write(self, folder: Path) -> None:
        """Write company.yaml, roles/ and phases/ (and words.yaml) into `folder`, replacing those that are
        there."""
        _put(folder / "company.yaml", dumped(self.company.model_dump(exclude={"extends"})))
        for name, role in self.roles.items():
            _put(folder / "roles" / f"{name}.yaml", dumped(role.model_dump()))
        for name, phase in self.phases.items():
            _put(folder / "phases" / f"{name}.yaml", dumped(phase.model_dump()))
        if self.words and self.words.resolve() != (folder / "words.yaml").resolve():
            _put(folder / "words.yaml", self.words.read_text(encoding="utf-8"))


def _put(path: Path, text: str) -> None:
    """Write a whole file or none: a run that is killed here can still be resumed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8", newline="\n")
    os.replace(part, path)  # noqa: PTH105  (same folder, atomic)


class _Dumper(yaml.SafeDumper):
    """Long texts as literal blocks, so that a person can read and edit what was used."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    lines = text.split("\n")
    simple = len(lines) > 1 and text[0] not in " \t\n" and text.isascii() and "\t" not in text and "\r" not in text
    block = simple and not any(line != line.rstrip() for line in lines)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if block else None)


_Dumper.add_representer(str, _text)


def dumped(value: Any) -> str:
    """A value as YAML that a person can read and `read_yaml` gives back."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
