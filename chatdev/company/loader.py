"""From a name, a file or a folder to a checked company.

Contract: `load_company` returns a bundle in which every role, phase and artifact is known, or raises one
`UserErrors` with everything that is wrong, each with its file and line. Nothing is executed, no model is
asked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from chatdev.company.artifacts import HUMAN
from chatdev.company.bundle import CompanyBundle
from chatdev.company.fields import quoted
from chatdev.company.flow import lint_phase
from chatdev.company.lint import lint, lint_names, unknown_speakers, warnings_of
from chatdev.company.messages import M, validated
from chatdev.company.prompts import lint_prompts
from chatdev.company.safe_yaml import Map, Text, shown
from chatdev.company.schema import Company, Phase, Role
from chatdev.company.shelf import Kind, Shelf, no_plain_file, yaml_files
from chatdev.company.steps import PhaseStep, every_step
from chatdev.company.tree import follow, merged, where, with_setting
from chatdev.company.words import lint_words
from chatdev.errors import UserError, UserErrors

MAX_ANCESTORS = 8


def load_company(
    name_or_path: str,
    *,
    overrides: Mapping[str, str] | None = None,
    library: Path | None = None,
    drafts: Mapping[Path, str] | None = None,
) -> CompanyBundle:
    """Read, merge, validate and lint a company.

    Args:
        name_or_path: a name in the library, a YAML file, or a folder with company.yaml (or one file in
            company_configs/) and, if wanted, roles/ and phases/ that go before the library's.
        overrides: settings by dotted key, such as {"sandbox.memory": "1g"}.
        library: the folder of the shipped roles, phases and companies, if not this program's own.
        drafts: texts that stand for files that are there, by resolved path: what an editor has not saved yet.

    Raises:
        UserErrors: all that is wrong.
    """
    shelf = Shelf(library, drafts)
    path = _found(name_or_path, shelf)
    tree = _family(path, shelf, [])
    for key, text in (overrides or {}).items():
        tree = with_setting(tree, key, text)
    tree, errors = _with_accept(tree, path)
    return _Assembly(shelf, path, tree, errors).bundle()


def _found(name_or_path: str, shelf: Shelf, beside: Path | None = None) -> Path:
    """The company's file; its folder's roles and phases are put on the shelf."""
    if not name_or_path.strip() or "\0" in name_or_path:
        raise UserErrors([shelf.unknown("company", name_or_path)])
    given = (beside or Path()) / Path(name_or_path).expanduser()
    known = shelf.path("company", name_or_path)
    try:
        # A bare name means the library's company even where a folder of that name lies around.
        if known and not re.search(r"[/\\.]", name_or_path):
            return known
        if given.is_dir():
            return _in_folder(given, shelf)
        if given.is_file():
            folder = given.resolve().parent
            shelf.add(folder.parent if folder.name == "company_configs" else folder)
            return given.resolve()
        if os.path.lexists(given):
            raise UserErrors([no_plain_file(given)])
    except OSError as error:
        raise UserErrors([UserError(f"cannot be read: {error.strerror}", where=name_or_path)]) from None
    if re.search(r"[/\\]|\.ya?ml$", name_or_path):
        raise UserErrors([UserError("there is no such file or folder", where=name_or_path)])
    raise UserErrors([shelf.unknown("company", name_or_path)])


def _in_folder(folder: Path, shelf: Shelf) -> Path:
    shelf.add(folder)
    for name in ("company.yaml", "company.yml"):
        if (folder / name).is_file():
            return (folder / name).resolve()
        if os.path.lexists(folder / name):
            raise UserErrors([no_plain_file(folder / name)])
    found = yaml_files(folder / "company_configs")
    if len(found) == 1:
        return found[0].resolve()
    if not found:
        what = "there is no company.yaml in this folder, and no file in its company_configs/"
    else:
        what = f"there are several companies in this folder; name one: {', '.join(shown(path) for path in found)}"
    raise UserErrors([UserError(what, where=shown(folder))])


def _family(path: Path, shelf: Shelf, seen: list[Path]) -> Map:
    """The company's tree on top of the companies it extends."""
    tree = shelf.tree(path, _company_name(path))
    parent = tree.items.get("extends")
    if not isinstance(parent, Text) or not parent.value:
        return tree
    place = str(follow(tree, ["extends"])[2])
    try:
        base_path = _parent(parent.value, path, shelf)
    except UserErrors as found:
        raise UserErrors([UserError(error.what, where=place) for error in found.errors]) from None
    if base_path in [*seen, path] or len(seen) >= MAX_ANCESTORS:
        raise UserErrors([UserError(f"extends goes round in a circle at {quoted(parent.value)}", where=place)])
    base = _family(base_path, shelf, [*seen, path])
    # Name and description tell companies apart; they are nobody's heritage.
    kept = {key: node for key, node in base.items.items() if key not in ("name", "description", "extends")}
    return merged(Map(base.mark, kept, {key: base.keys[key] for key in kept}), tree)


def _parent(name: str, child: Path, shelf: Shelf) -> Path:
    """`extends: default` in a file called default.yaml means the library's."""
    bare = not re.search(r"[/\\.\0]", name) and len(name) <= 100
    for beside in (child.with_name(f"{name}.yaml"), child.with_name(f"{name}.yml")) if bare else ():
        if beside.is_file() and beside != child:
            return beside
    return _found(name, shelf, child.parent)


def _company_name(path: Path) -> str:
    """The file's name, or the folder's for a company.yaml, as far as it can be a name."""
    stem = path.parent.name if path.stem == "company" else path.stem
    return re.sub(r"^[^A-Za-z]+|[^A-Za-z0-9_-]+", "-", stem).strip("-")[:64] or "company"


def _with_accept(tree: Map, path: Path) -> tuple[Map, list[UserError]]:
    """`accept` made absolute: in a file it is relative to that file, on the command line to the working folder."""
    node = tree.items.get("accept")
    if not isinstance(node, Text) or not node.value:
        return tree, []
    base = path.parent if node.mark.line else Path.cwd()
    try:
        target = (base / Path(node.value).expanduser()).resolve()
        there = target.exists()
    except (OSError, ValueError, RuntimeError):  # no path at all, such as one of 5,000 letters
        target, there = Path(node.value), False
    if not there:
        return tree, [UserError(f"accept: there is no file or folder {shown(target)}", where=str(node.mark))]
    return Map(tree.mark, {**tree.items, "accept": Text(node.mark, str(target))}, tree.keys), []


class _Assembly:
    """Puts a bundle together and collects everything that is wrong on the way."""

    def __init__(self, shelf: Shelf, path: Path, tree: Map, errors: list[UserError]) -> None:
        self.shelf, self.path = shelf, path
        self.company, self.tree, found = validated(Company, tree)
        self.errors = errors + found
        self.sources: dict[str, Path] = {"company": path}
        self.trees: dict[str, Map] = {"company": self.tree}
        self.spare_trees: dict[str, Map] = {}
        self._seen: set[str] = set()

    def bundle(self) -> CompanyBundle:
        self.errors += self.shelf.errors
        if self.company is None:
            self._own_files(None)
            raise UserErrors(sorted_errors(self.errors))
        phases = self._phases(self.company)
        roles = self._roles(self.company)
        self._own_files(self.company)
        company = self.company.model_copy(update={"extends": None})
        words = next((p for over in self.shelf.overlays if os.path.lexists(p := over / "words.yaml")), None)
        if words is not None:
            self.errors += lint_words(words) if words.is_file() else [no_plain_file(words)]
        made = CompanyBundle(company, roles, phases, self.sources, [], self.trees, words)
        if self.errors:  # what is read where would be told wrongly while parts are missing
            self.errors += lint_names(made, self.shelf)
        else:
            self.errors += lint(made, self.shelf)
        if self.errors:
            raise UserErrors(sorted_errors(self.errors))
        made.warnings = warnings_of(made)
        return made

    def _phases(self, company: Company) -> dict[str, Phase]:
        names = [step.phase for step in every_step(company.chain) if isinstance(step, PhaseStep)]
        phases = {name: made for name in dict.fromkeys(names) if (made := self._read("phase", Phase, name))}
        if company.reflection and any(phase.reflect for phase in phases.values()):
            if self.shelf.path("phase", company.reflection) is None:
                place = where(self.tree, "reflection")
                self.errors.append(self.shelf.unknown("phase", company.reflection, place))
            elif company.reflection not in phases:
                made = self._read("phase", Phase, company.reflection)
                phases.update({company.reflection: made} if made else {})
        return phases

    def _roles(self, company: Company) -> dict[str, Role]:
        roles: dict[str, Role] = {}
        for name, use in company.roles.items():
            if name == HUMAN:
                what = f'"{HUMAN}" stands for the person at the keyboard and is no role'
                self.errors.append(UserError(what, where=where(self.tree, "roles", name)))
            elif self.shelf.path("role", name) is None:
                self.errors.append(self.shelf.unknown("role", name, where(self.tree, "roles", name)))
            elif role := self._read("role", Role, name):
                roles[name] = role.model_copy(update={"model": use.model}) if use.model else role
        return roles

    def _own_files(self, company: Company | None) -> None:
        """Faults in the user's other files are told too, used or not."""
        roles = self._spare("role", Role)
        phases = self._spare("phase", Phase)
        if company:
            spare = CompanyBundle(company, roles, phases, trees=self.spare_trees)
            self.errors += [error for name in phases for error in lint_phase(spare, name)]
            self.errors += lint_prompts(spare)
            self.errors += [error for name in phases for error in unknown_speakers(spare, name, self.shelf)]

    def _spare(self, kind: Kind, model: type[M]) -> dict[str, M]:
        found = {}
        for name in self.shelf.own(kind):
            made = self._read(kind, model, name, used=False)
            if made:
                found[name] = made
        return found

    def _read(self, kind: Kind, model: type[M], name: str, used: bool = True) -> M | None:
        key = f"{kind}:{name}"
        path = self.shelf.path(kind, name)
        if path is None or key in self._seen:
            return None
        self._seen.add(key)
        try:
            made, tree, errors = validated(model, self.shelf.tree(path))
        except UserErrors as found:
            self.errors += found.errors
            return None
        self.errors += errors
        if used:
            self.sources[key], self.trees[key] = path, tree
        else:
            self.spare_trees[key] = tree
        return made


def sorted_errors(errors: list[UserError]) -> list[UserError]:
    """Without repetitions, by file and line."""

    def key(error: UserError) -> tuple[str, int]:
        source, _, line = error.where.rpartition(":")
        return (source, int(line)) if line.isdigit() else (error.where, 0)

    return sorted({str(error): error for error in errors}.values(), key=key)
