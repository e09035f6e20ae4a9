"""`studio`: watch, review and start runs in the browser."""

from __future__ import annotations

import click

from chatdev.cli.common import out_option, warehouse


@click.command("studio")
@click.option("--port", type=click.IntRange(0, 65535), help="The port on 127.0.0.1.  [default: 8765, or a free one]")
@out_option
def studio_command(port: int | None, out: str | None) -> int:
    """Watch, review, start and compare runs in the browser.

    It listens on this machine only; the address holds the token that opens it. Runs go on when the studio ends.
    """
    from chatdev.studio.serve import serve

    def ready(address: str) -> None:
        click.echo(f"The studio is open at\n\n    {address}\n\nCtrl-C ends it; runs go on without it.")

    serve(warehouse(out), port, ready)
    return 0
