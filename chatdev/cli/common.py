"""What several commands share: how the program is called, where the warehouse is, how errors look."""

from __future__ import annotations

import json
import math
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chatdev.errors import UserError, UserErrors

if TYPE_CHECKING:
    from chatdev.run.product import Product

WAREHOUSE = "warehouse"


class Number(click.FloatRange):
    """A number between bounds. `nan` and `inf` are refused as well: the first is not outside of any bounds."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value!r} is no number to count with.", param, ctx)
        return found


def command_name() -> str:
    """What the user types: `python run.py` from a checkout, `chatdev` when installed."""
    return os.environ.get("CHATDEV_COMMAND", "chatdev")


def warehouse(out: str | None) -> Path:
    """The folder of products: `--out`, `CHATDEV_WAREHOUSE`, or `warehouse` here."""
    return Path(out or os.environ.get("CHATDEV_WAREHOUSE", "") or WAREHOUSE).expanduser()


def shown_name(product: Product) -> str:
    """How to name a product on the command line: outside of the usual warehouse its name alone is not found."""
    name = product.name if product.root.parent == warehouse(None).resolve() else str(product.root)
    return shlex.quote(name) if os.name == "posix" else subprocess.list2cmdline([name])


def is_there(look: Callable[[], bool]) -> bool:
    """Ask the disk about a path that a user typed; one that no disk could have (too long, a NUL) is not there."""
    try:
        return look()
    except (OSError, ValueError):
        return False


def fail(error: UserError) -> int:
    """Print an error the user can fix, one line each; returns its exit code."""
    for one in error.errors if isinstance(error, UserErrors) else [error]:
        text = str(one).replace("run.py ", f"{command_name()} ") if "python run.py" not in str(one) else str(one)
        click.echo(f"error: {text}", err=True)
    return error.exit_code


def echo_json(value: Any) -> None:
    """A result for programs, on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def overrides(pairs: tuple[str, ...], **named: str | None) -> dict[str, str]:
    """`--set key=value` pairs and the options that stand for a setting."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise UserError(f'"--set {pair}" is not key=value', fix="Example: --set limits.minutes=10")
        found[key.strip()] = value
    for name, given in named.items():
        if given is not None:
            found[name.replace("__", ".")] = given
    return found


out_option = click.option("--out", metavar="DIR", help="The warehouse folder.  [default: warehouse]")
set_option = click.option(
    "--set", "sets", multiple=True, metavar="KEY=VALUE", help="Any setting of the company, such as limits.minutes=10."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
