"""Starting runs: the command line as a process of its own, which lives on when the studio ends.

Lists of arguments, never a shell; the task goes in on standard input. The environment is the studio's own, so a key is
handed on as the shell would hand it on, and is kept nowhere.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chatdev.errors import UserError
from chatdev.run.journal import parse_line
from chatdev.run.product import Product, products

PATIENCE = 60.0
"""Seconds until a started run must have opened its journal (a local model has not been loaded by then)."""
ANSWERS = ("--answers", "inbox")
"""Whoever is asked answers on the page."""
TOLD = 4_000
"""Characters of a failed command's last words that are passed on."""


@dataclass
class Child:
    """A process of the command line, and what it said on standard error."""

    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    def last_words(self) -> str:
        """Why it failed, as it said it."""
        self.errors.seek(0)
        text = self.errors.read().decode("utf-8", "replace").strip()[-TOLD:]
        lines = [line.removeprefix("error: ") for line in text.splitlines() if line.strip()]
        told = [line for line in lines if not line.startswith(("  ", "Usage:", "Try "))] or lines
        return "\n".join(told[-8:]) or f"the command ended with status {self.process.returncode}"


class Launcher:
    """Starts commands and keeps an eye on them until they end."""

    def __init__(self, warehouse: Path) -> None:
        self.warehouse = warehouse
        self._children: list[Child] = []

    def run(self, arguments: list[str], task: str) -> str:
        """Start a run; returns the new product's name once its journal is open.

        Raises:
            UserError: the command refused, in its own words.
        """
        begun = time.time() - 1
        child = self._start(["run", "--task-file", "-", *ANSWERS, *self._out(), *arguments], task)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            ended = child.process.poll() is not None
            name = self._product_of(child.process.pid, begun)
            if name:
                return name
            if ended:
                raise UserError(child.last_words())
            time.sleep(0.1)
        raise UserError("the run has not begun yet", fix="Look at the list of products in a while")

    def resume(self, product: Product, arguments: list[str]) -> None:
        """Let a stopped run go on; returns when it is at work again.

        Raises:
            UserError: the command refused, in its own words.
        """
        size = product.journal.stat().st_size
        child = self._start(["resume", str(product.root), *ANSWERS, *arguments], "")
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if child.process.poll() not in (None, 0, 3, 4, 5):
                raise UserError(child.last_words())
            if child.process.poll() is not None or product.journal.stat().st_size > size:
                return
            time.sleep(0.1)

    def fork(self, product: Product, arguments: list[str]) -> str:
        """Branch off a product and let the fork go on; returns its name.

        Raises:
            UserError: the command refused, in its own words.
        """
        known = {one.name for one in products(self.warehouse)}
        self._do(["fork", str(product.root), *self._out(), *arguments])
        made = next((one for one in products(self.warehouse) if one.name not in known), None)
        if made is None:
            raise UserError("the fork cannot be found", where=str(self.warehouse))
        self.resume(made, [])
        return made.name

    def undo(self, product: Product, arguments: list[str]) -> None:
        """Go back a step of a run that is not at work, or forth again.

        Raises:
            UserError: the command refused, in its own words.
        """
        self._do(["undo", str(product.root), *arguments])

    def _do(self, arguments: list[str]) -> None:
        """A command that ends soon."""
        child = self._start(arguments, "")
        try:
            status = child.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise UserError("it takes unusually long; look again in a while") from None
        if status != 0:
            raise UserError(child.last_words())

    def at_work(self) -> int:
        """How many of the started processes are still running; those that ended are collected."""
        self._children = [child for child in self._children if child.process.poll() is None]
        return len(self._children)

    def _out(self) -> list[str]:
        return ["--out", str(self.warehouse)]

    def _start(self, arguments: list[str], stdin: str) -> Child:
        self.at_work()
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the child
        root = str(Path(__file__).resolve().parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        process = subprocess.Popen(
            [sys.executable, "-m", "chatdev", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,
        )
        assert process.stdin is not None
        with process.stdin:
            process.stdin.write(stdin.encode("utf-8", "replace"))
        child = Child(process, errors)
        self._children.append(child)
        return child

    def _product_of(self, pid: int, begun: float) -> str:
        """The product whose first life is this process."""
        for product in products(self.warehouse)[:20]:
            if product.journal.stat().st_mtime < begun:
                break
            with product.journal.open("rb") as journal:
                first = journal.readline(10_000)
            try:
                if parse_line(first).get("pid") == pid:
                    return product.name
            except ValueError:
                continue
        return ""
