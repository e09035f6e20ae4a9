"""`export`: a run as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from chatdev.cli.common import out_option, warehouse
from chatdev.errors import UserError
from chatdev.run import product as products


@click.command("export")
@click.argument("product")
@click.option("--to", metavar="FILE", help="Where to write it; - is standard output.  [default: PRODUCT.html]")
@out_option
def export_command(product: str, to: str | None, out: str | None) -> int:
    """Write a run as one HTML page: dialogue, files, checks with screenshots, costs; no script, no network."""
    from chatdev.export import page
    from chatdev.run.files import write_atomic

    found = products.find(warehouse(out), product)
    text = page(found)
    if to == "-":
        click.echo(text)
        return 0
    path = Path(to or f"{found.name}.html").expanduser()
    try:
        write_atomic(path, text)
    except OSError as error:
        raise UserError(f"the page cannot be written ({error.strerror})", where=str(path)) from error
    click.echo(str(path))
    return 0
