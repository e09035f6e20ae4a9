"""Companies for the page: which there are, how each reads, what is wrong with a draft, and saving it.

A page never sends a path. It sends the keys of files that this room listed before (`roles/ceo.yaml`), and only those
inside the company's own folder, on plain files that the user may write, are saved: whole, and only when the company
is right with all drafts in place.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatdev.company import CompanyBundle, known_companies, load_company
from chatdev.company.safe_yaml import shown
from chatdev.company.shelf import FOLDERS, yaml_files
from chatdev.data import library_root
from chatdev.errors import UserError, UserErrors
from chatdev.run.files import write_atomic
from chatdev.studio.chain_map import chain_tree

OWN = "own:"
"""Before the name of a company that lies in a folder of the user's."""
LARGEST = 1_000_000
MOST_FOLDERS = 200
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,60}")


@dataclass(frozen=True)
class Found:
    """Where a company lies."""

    id: str
    start: str
    """What `--company` takes."""
    root: Path
    """The folder outside of which nothing is written."""
    file: Path
    """Its company file."""


class Workshop:
    """The companies that ship with the program, and those in folders below `here`."""

    def __init__(self, here: Path) -> None:
        self.here = here.resolve()

    def all(self) -> list[Found]:
        """The user's own first."""
        library = library_root().resolve()
        own = [Found(f"{OWN}{one.name}", str(one), one, one / "company.yaml") for one in self._folders()]
        configs = library / FOLDERS["company"]
        shipped = [Found(name, name, library, path) for name in known_companies() if (path := _file(configs, name))]
        return [*own, *shipped]

    def _folders(self) -> list[Path]:
        try:
            children = sorted(one for one in self.here.iterdir() if not one.name.startswith("."))[:MOST_FOLDERS]
        except OSError:
            return []
        return [one for one in children if not one.is_symlink() and (one / "company.yaml").is_file()]

    def find(self, name: str) -> Found:
        """The company with this id.

        Raises:
            UserError: there is none.
        """
        found = next((one for one in self.all() if one.id == name), None)
        if found is None:
            raise UserError("there is no such company")
        return found

    def rows(self) -> list[dict[str, Any]]:
        """The list of companies."""
        return [_row(one) for one in self.all()]

    def read(self, name: str) -> dict[str, Any]:
        """A company to be read and edited: chain, roles, phases, files with their texts, and what is wrong."""
        found = self.find(name)
        files = _files(found)
        texts = {key: path.read_bytes()[:LARGEST].decode("utf-8", "replace") for key, path in files.items()}
        return {
            "id": found.id,
            "start": found.start,
            "folder": shown(found.root),
            "copyable": found.root == library_root().resolve(),
            "files": [
                {"key": key, "text": texts[key], "was": _hash(path), "writable": _writable(found, path)}
                for key, path in files.items()
            ],
            **self._looked_over(found, {}),
        }

    def check(self, name: str, drafts: dict[str, Any]) -> dict[str, Any]:
        """What the company would be with these texts instead of its files."""
        found = self.find(name)
        return self._looked_over(found, _placed(found, drafts))

    def save(self, name: str, drafts: dict[str, Any], was: dict[str, Any]) -> dict[str, Any]:
        """Write drafts into their files.

        Args:
            was: by key, the hash of what the page had read; a file that has changed since is not written over.

        Raises:
            UserError: a file may not be written, has changed, or the company would be wrong; nothing was written.
        """
        found = self.find(name)
        texts = _placed(found, drafts)
        files = _files(found)
        for key in drafts:
            if not _writable(found, files[key]):
                raise UserError("this file cannot be written here", where=key, fix="Make a copy of the company first")
            if was.get(key) != _hash(files[key]):
                raise UserError("the file was changed by somebody else since you opened it", where=key)
        load_company(found.start, drafts=texts)
        self._others(found, texts)
        for path, text in texts.items():
            mode = path.stat().st_mode & 0o777
            write_atomic(path, text)
            path.chmod(mode)
        return self.read(name)

    def copy(self, name: str, new: str) -> str:
        """Write a company, whole, into a new folder of the user's; returns its id."""
        if not _NAME.fullmatch(new):
            raise UserError("a name is letters, digits, - and _, beginning with a letter", where=new[:80])
        bundle = load_company(self.find(name).start)
        folder = self.here / new
        try:
            folder.mkdir()
        except OSError as error:
            raise UserError(f"the folder cannot be made ({error.strerror})", where=str(folder)) from error
        bundle.company = bundle.company.model_copy(update={"name": new})
        bundle.write(folder)
        return f"{OWN}{new}"

    def _others(self, found: Found, texts: dict[Path, str]) -> None:
        """Files are shared by the companies of one folder: what was right with all of them must stay so."""
        for other in self.all():
            if other.root != found.root or other.id == found.id:
                continue
            try:
                load_company(other.start, drafts=texts)
            except UserErrors as wrong:
                try:
                    load_company(other.start)
                except UserErrors:
                    continue
                raise UserErrors(
                    [UserError(f"{one.what} (in the company {other.id})", where=one.where) for one in wrong.errors]
                ) from None

    def _looked_over(self, found: Found, texts: dict[Path, str]) -> dict[str, Any]:
        places = {shown(path): key for key, path in _files(found).items()}
        try:
            bundle = load_company(found.start, drafts=texts)
        except UserErrors as wrong:
            return {"errors": [_told(one, places) for one in wrong.errors], "warnings": [], "chain": []}
        return {
            "errors": [],
            "warnings": [_told(one, places) for one in bundle.warnings],
            "chain": chain_tree(bundle),
            **_described(bundle),
        }


def _told(error: UserError, places: dict[str, str]) -> dict[str, Any]:
    source, _, line = error.where.rpartition(":")
    if not line.isdigit():
        source, line = error.where, ""
    text = f"{error.what}. {error.fix}" if error.fix else error.what
    return {"file": places.get(source, ""), "where": error.where, "line": int(line) if line else 0, "text": text}


def _described(bundle: CompanyBundle) -> dict[str, Any]:
    company = bundle.company
    return {
        "name": company.name,
        "description": company.description,
        "settings": {
            "model": company.model,
            "review": company.review,
            "limits": company.limits.model_dump(exclude_none=True),
            "stream": company.stream.model_dump(exclude_none=True),
        },
        "roles": [
            {"name": name, "title": role.title, "model": role.model, "prompt": role.prompt}
            for name, role in bundle.roles.items()
        ],
        "phases": [
            phase.model_dump(exclude={"name"}, exclude_none=True) | {"name": name}
            for name, phase in bundle.phases.items()
        ],
    }


def _files(found: Found) -> dict[str, Path]:
    """The files of a company by key: its own, and those that it takes from the library."""
    try:
        sources = list(load_company(found.start).sources.values())
    except UserErrors:
        sources = []
    mine = [found.file]
    if found.root != library_root().resolve() or not sources:
        mine += [path for kind in ("role", "phase") for path in yaml_files(found.root / FOLDERS[kind])]
    files: dict[str, Path] = {}
    for path in [*mine, *sources]:
        real = path.resolve()
        if real.is_relative_to(found.root):
            files.setdefault(real.relative_to(found.root).as_posix(), real)
        elif real.is_relative_to(library_root().resolve()):
            files.setdefault(f"library/{real.relative_to(library_root().resolve()).as_posix()}", real)
    return files


def _placed(found: Found, drafts: dict[str, Any]) -> dict[Path, str]:
    """Drafts by path; a key that was never listed is refused."""
    files = _files(found)
    placed: dict[Path, str] = {}
    for key, text in drafts.items():
        if key not in files:
            raise UserError("there is no such file in this company", where=str(key)[:120])
        if not isinstance(text, str) or len(text) > LARGEST:
            raise UserError("a draft is a text of at most a megabyte", where=key)
        placed[files[key]] = text
    return placed


def _file(folder: Path, name: str) -> Path | None:
    return next((path for path in yaml_files(folder) if path.stem == name), None)


def _writable(found: Found, path: Path) -> bool:
    """A plain file of the company's own folder that the user may replace; the library of an installed program is not
    for editing."""
    installed = Path(__file__).resolve().parents[1] in library_root().parents
    inside = path.is_relative_to(found.root) and not (installed and path.is_relative_to(library_root().resolve()))
    return inside and not path.is_symlink() and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _row(found: Found) -> dict[str, Any]:
    row = {"id": found.id, "start": found.start, "name": found.id.removeprefix(OWN), "own": found.id.startswith(OWN)}
    try:
        bundle = load_company(found.start)
    except UserErrors as wrong:
        return {**row, "description": "", "errors": len(wrong.errors)}
    steps = [step["title"] for step in chain_tree(bundle)]
    return {
        **row,
        "description": bundle.company.description,
        "errors": 0,
        "roles": len(bundle.used_roles()),
        "steps": steps,
    }
