"""`test`, `start` and `sandbox`: run products where they can do no harm."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click

from chatdev.cli.common import echo_json, json_option, out_option
from chatdev.cli.products import folder_of
from chatdev.errors import UserError
from chatdev.screen.text import rung_text, safe

ENGINES = click.option("--sandbox", default="auto", metavar="ENGINE", help="auto, docker, bubblewrap, host or none.")


@click.command("test")
@click.argument("path")
@click.option("--accept", metavar="PATH", help="Your own tests, which must pass as well.")
@ENGINES
@out_option
@json_option
def test_command(path: str, accept: str | None, sandbox: str, out: str | None, as_json: bool) -> int:
    """Check a product, or any folder of code: parse, import, start, tests.

    Exit status 0 when it is verified, 3 when it is not.
    """
    from chatdev.sandbox import SandboxConfig, climb, open_engine

    folder = folder_of(path, out)
    config = SandboxConfig.parse({"engine": sandbox})
    engine = open_engine(config, run_id=folder.name)
    show = None if as_json else lambda rung: click.echo(rung_text(asdict(rung)))
    hidden = Path(accept).resolve() if accept else None
    report = climb(folder, engine, config, accept=hidden, on_rung=show, ask=None if as_json else _asks())
    if as_json:
        echo_json(report.to_json())
    else:
        failed = next((rung for rung in report.rungs if rung.state == "failed"), None)
        if failed is not None and failed.details:
            click.echo(safe(failed.details))
        click.echo(f"{report.verdict}: {safe(report.reason)}")
    return 0 if report.verdict == "verified" else 3


@click.command("start")
@click.argument("product")
@click.argument("arguments", nargs=-1)
@ENGINES
@out_option
def start_command(product: str, arguments: tuple[str, ...], sandbox: str, out: str | None) -> int:
    """Start a product in the sandbox, for you to use.

    A terminal program gets this terminal, a server a port on 127.0.0.1, and a program with a window is shown in the
    browser. ARGUMENTS (after --) go to the program. Ctrl-C twice ends it and leaves nothing behind.
    """
    from chatdev.sandbox import SandboxConfig, open_engine
    from chatdev.sandbox.attach import start
    from chatdev.sandbox.engine import why_no_engine

    folder = folder_of(product, out)
    config = SandboxConfig.parse({"engine": sandbox})
    engine = open_engine(config, run_id=folder.name)
    if engine is None:
        raise UserError(
            f"nothing here can run a product safely: {why_no_engine(config)}",
            fix="See run.py doctor; your own machine is used only when you say so: --sandbox host",
        )
    return start(folder, engine, click.echo, arguments, _asks())


def _asks() -> Callable[[list[str]], bool] | None:
    """Asks the person about unknown packages; None where nobody sits at the terminal."""
    if sys.stdin is None or sys.stdout is None or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    return lambda names: click.confirm(f"Nobody here has heard of {', '.join(names)}. Look it up; install it?")


@click.group("sandbox")
def sandbox_command() -> None:
    """The image that products run in."""


@sandbox_command.command("build")
@click.argument("kit", required=False)
@click.option(
    "--base", metavar="IMAGE", help="Image to build on; auto makes one with debootstrap where none can be had."
)
@click.option("--again", is_flag=True, help="Build even when the image is there.")
def build_command(kit: str | None, base: str | None, again: bool) -> int:
    """Build the sandbox image with Docker.

    KIT adds the tools of a language on top: c, c++, go, rust, java, typescript, or web for photographs of pages.
    """
    from chatdev.sandbox.image.__main__ import main
    from chatdev.sandbox.image.kits import kits

    if kit is not None and kit not in kits():
        raise UserError(f'there is no kit "{kit}"', fix=f"Known are {', '.join(kits())}")
    return main(
        [*(["--kit", kit] if kit else []), *(["--base", base] if base else []), *(["--again"] if again else [])]
    )
