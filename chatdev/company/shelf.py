"""Where companies, roles and phases lie, and which file a name means.

Contract: a `Shelf` is a list of folders, the first one wins. The last is the library that ships with the
program; those before it belong to the user. A user's folder is read as a whole, so that a fault in any of
its files is told; of the library only what is asked for is read. Non-goal: what the files say, beyond their
name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from chatdev.company.fields import kind_of, quoted
from chatdev.company.messages import did_you_mean
from chatdev.company.safe_yaml import Map, Mark, Text, plain, read_file, read_yaml, shown
from chatdev.data import library_root
from chatdev.errors import UserError, UserErrors

Kind = Literal["role", "phase", "company"]
FOLDERS: dict[Kind, str] = {"role": "roles", "phase": "phases", "company": "company_configs"}
PLURALS: dict[Kind, str] = {"role": "roles", "phase": "phases", "company": "companies"}
MAX_FILES = 500


class Shelf:
    """The files of all three kinds, by name."""

    def __init__(self, library: Path | None = None, drafts: Mapping[Path, str] | None = None) -> None:
        """`drafts` are texts that stand for files, by resolved path: what an editor has not saved yet."""
        self._drafts = drafts or {}
        self.library = (library or library_root()).resolve()
        self.overlays: list[Path] = []
        self.errors: list[UserError] = []
        self._paths: dict[Kind, dict[str, Path]] = {}
        self._trees: dict[Path, Map] = {}
        for kind in FOLDERS:
            self._paths[kind] = {path.stem: path for path in yaml_files(self.library / FOLDERS[kind])}

    def add(self, folder: Path) -> None:
        """A user's folder, beneath those already added: its roles/ and phases/ go before the library's."""
        folder = folder.resolve()
        if folder == self.library or folder in self.overlays:
            return
        self.overlays.append(folder)
        above = [over for over in self.overlays if over != folder]
        for kind in ("role", "phase"):
            mine: dict[str, Path] = {}
            self.errors += not_taken(folder / FOLDERS[kind])
            for path in yaml_files(folder / FOLDERS[kind]):
                name = self._name_in(path)
                if name in mine:
                    what = f"two {PLURALS[kind]} are named {quoted(name)} (the other is {shown(mine[name])})"
                    self.errors.append(UserError(what, where=f"{shown(path)}:1"))
                mine[name] = path
            for name, path in mine.items():
                old = self._paths[kind].get(name)
                if old is None or not any(old.is_relative_to(over) for over in above):
                    self._paths[kind][name] = path

    def _name_in(self, path: Path) -> str:
        """What a file calls itself; a file that cannot be read still stands for its own name."""
        try:
            name = self.tree(path).items["name"]
        except UserErrors as found:
            self.errors += found.errors
            return path.stem
        return (name.value if isinstance(name, Text) else None) or path.stem

    def names(self, kind: Kind) -> list[str]:
        """All known names of a kind, sorted."""
        return sorted(self._paths[kind])

    def own(self, kind: Kind) -> list[str]:
        """The names that a user's folder brings."""
        return sorted(n for n, p in self._paths[kind].items() if not p.is_relative_to(self.library / FOLDERS[kind]))

    def path(self, kind: Kind, name: str) -> Path | None:
        """The file of a name, or None."""
        return self._paths[kind].get(name)

    def tree(self, path: Path, name: str | None = None) -> Map:
        """The tree of a file; `name` is filled in where the file gives none (the file's own name by default).

        Raises:
            UserErrors: the file cannot be read as a YAML mapping.
        """
        if path not in self._trees:
            draft = self._drafts.get(path)
            node = read_file(path) if draft is None else read_yaml(draft, shown(path))
            if not isinstance(node, Map):
                what = f"expected a mapping of settings, found {kind_of(plain(node))}"
                raise UserErrors([UserError(what, where=str(node.mark))])
            if "name" not in node.items:
                mark = Mark(node.mark.source, 1)
                node.items["name"], node.keys["name"] = Text(mark, name or path.stem), mark
            self._trees[path] = node
        return self._trees[path]

    def unknown(self, kind: Kind, name: str, where: str = "") -> UserError:
        """The error for a name that is not there: what was meant, or what there is."""
        known = self.names(kind)
        meant = did_you_mean(name, known)
        if kind == "company" or not meant:
            meant += f" (known: {', '.join(known) or 'none'})"
        return UserError(f"unknown {kind} {quoted(name)}{meant}", where=where)


def yaml_files(folder: Path) -> list[Path]:
    """The YAML files of a folder, sorted; none when there is no such folder."""
    return [path for path in _named(folder) if path.is_file()][:MAX_FILES]


def not_taken(folder: Path) -> list[UserError]:
    """What is called like a YAML file and cannot be read as one: folders, pipes, devices, links to nowhere."""
    try:
        named = _named(folder)
    except OSError as error:
        return [UserError(f"cannot be read: {error.strerror}", where=shown(folder))]
    odd = [no_plain_file(path) for path in named if not path.is_file()]
    if len(named) - len(odd) > MAX_FILES:
        odd.append(UserError(f"holds more than {MAX_FILES} files", where=shown(folder)))
    return odd


def no_plain_file(path: Path) -> UserError:
    """The error for a folder, a pipe or a link that stands where a file is looked for, under its own name."""
    return UserError("is no plain file", where=(Path(shown(path.parent)) / path.name).as_posix())


def _named(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))


def known_companies(library: Path | None = None) -> list[str]:
    """The names of the companies that ship with the program."""
    return Shelf(library).names("company")
