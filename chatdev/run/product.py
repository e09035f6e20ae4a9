"""A product: one folder of the warehouse, the software as a git repository at its root.

    warehouse/snake-20261122-101500/       the software, its own git repository
        main.py, tests/, README.md …
        .chatdev/                          ours, ignored by that repository
            company/                       company, roles and phases exactly as used
            journal.jsonl                  the record everything else is read from
            report.json                    verdict, evidence, tokens, money, seconds
            streams/                       snapshots of local models' memories; they only save work
            evidence/  run.log  lock
            inbox/                         letters to the living run, see `run.inbox`

Names come from strangers (tasks, `--name`), so a slug is made of letters, digits and hyphens only.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import re
import shutil
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatdev.errors import UserError

OURS = ".chatdev"
_STAMP = re.compile(r"-\d{8}-\d{6}(-\d+)?$")
_STOP_WORDS = frozenset(
    "a an the of for to and in with that which please me my build make create write".split()  # noqa: SIM905
)


def slug(text: str, longest: int = 40) -> str:
    """A folder name for any text: `Build a snake game!` gives `snake-game`; never empty, never a path."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain.lower())
    telling = [word for word in words if word not in _STOP_WORDS] or words
    name = "-".join(telling[:6])[:longest].strip("-")
    return name or "product"


@dataclass(frozen=True)
class Product:
    """Where things lie in one product folder."""

    root: Path

    @property
    def ours(self) -> Path:
        return self.root / OURS

    @property
    def journal(self) -> Path:
        return self.ours / "journal.jsonl"

    @property
    def report_file(self) -> Path:
        return self.ours / "report.json"

    @property
    def company(self) -> Path:
        return self.ours / "company"

    @property
    def evidence(self) -> Path:
        return self.ours / "evidence"

    @property
    def streams(self) -> Path:
        return self.ours / "streams"

    @property
    def inbox(self) -> Path:
        return self.ours / "inbox"

    @property
    def log(self) -> Path:
        return self.ours / "run.log"

    @property
    def name(self) -> str:
        return self.root.name

    def report(self) -> dict[str, Any] | None:
        """The report of the last run, None when there is none that can be read."""
        try:
            found = json.loads(self.report_file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


def create(warehouse: Path, name: str) -> Product:
    """Make a new, empty product folder `<slug>-<stamp>`; never one that exists."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for attempt in range(1000):
        suffix = f"-{attempt + 1}" if attempt else ""
        root = warehouse.resolve() / f"{slug(name)}-{stamp}{suffix}"
        try:
            root.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(
                f"cannot make the product folder ({error.strerror})", where=str(root), fix="Choose another --out"
            ) from error
        product = Product(root)
        product.ours.mkdir()
        return product
    raise UserError("a thousand products of this name and second exist", where=str(warehouse), fix="Use --name")


def discard(product: Product) -> None:
    """Remove a product whose run never began, and the warehouse with it if it is empty."""
    shutil.rmtree(product.root, ignore_errors=True)
    with contextlib.suppress(OSError):
        product.root.parent.rmdir()


def products(warehouse: Path) -> list[Product]:
    """All products of a warehouse, newest first."""
    try:
        if not warehouse.is_dir():
            if warehouse.exists():
                raise UserError("this is a file; a warehouse is a folder", where=str(warehouse))
            return []
    except (OSError, ValueError) as error:
        raise UserError(f"this cannot be a warehouse ({error})", where=str(warehouse)[:200]) from error
    found: list[tuple[float, Product]] = []
    for path in warehouse.resolve().iterdir():
        with contextlib.suppress(OSError):  # no product, or deleted at this moment
            if (path / OURS / "journal.jsonl").is_file():
                found.append((Product(path).journal.stat().st_mtime, Product(path)))
    return [product for _, product in sorted(found, key=lambda one: one[0], reverse=True)]


def find(warehouse: Path, name: str) -> Product:
    """The product of a folder path, a full name, or the beginning of a name (the newest that fits)."""
    with contextlib.suppress(OSError, ValueError):
        as_path = Path(name)
        if (as_path / OURS / "journal.jsonl").is_file():
            return Product(as_path.resolve())
    known = products(warehouse)
    wanted = name.lower()
    fits: list[Callable[[Product], bool]] = [
        lambda product: product.name == name,
        lambda product: product.name.lower() == wanted,
        lambda product: _STAMP.sub("", product.name.lower()) == wanted,
        lambda product: bool(wanted) and product.name.lower().startswith(wanted),
    ]
    for fit in fits:
        for product in known:
            if fit(product):
                return product
    stems = {_STAMP.sub("", product.name): product.name for product in reversed(known)}
    close = difflib.get_close_matches(_STAMP.sub("", name), list(stems), n=1)
    hint = f'Did you mean "{stems[close[0]]}"? ' if close else ""
    raise UserError(f'there is no product "{name}"', where=str(warehouse), fix=f"{hint}All products: run.py list")
