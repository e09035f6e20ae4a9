"""`bench`: measure a local model on your own text."""

from __future__ import annotations

from pathlib import Path

import click

from chatdev.errors import UserError


@click.group("bench")
def bench_command() -> None:
    """Measure a local model."""


@bench_command.command("perplexity")
@click.option("--model", required=True, metavar="FOLDER-OR-ID", help="A local model.")
@click.option("--text", required=True, metavar="FILE", help="A long text, UTF-8.")
@click.option("--plot", metavar="PNG", help="Draw perplexity against tokens.")
@click.option("--window", type=int, metavar="TOKENS", help="Tokens a stream keeps.  [default: what the model can]")
@click.option("--pinned", type=int, default=0, metavar="TOKENS", help="Also measure with a pinned head this long.")
@click.option("--dense", type=int, default=16_384, show_default=True, metavar="TOKENS", help="Length of the dense run.")
def perplexity_command(model: str, text: str, plot: str | None, window: int | None, pinned: int, dense: int) -> int:
    """Compare dense attention, a window, a window with re-computation, and attention sinks on a text."""
    try:
        words = Path(text).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read ({error})", where=text) from error
    from chatdev.llm.local import open_local
    from chatdev.llm.local.perplexity import Plan, of_text

    opened = open_local(model, window=window, precision="fp32", on_notice=click.echo)
    plan = Plan(window=opened.settings.window, pinned=pinned, dense=dense)
    told: set[str] = set()

    def tell(what: str, done: float) -> None:
        if what not in told:
            told.add(what)
            click.echo(f"{what} ...", err=True)

    click.echo(of_text(opened, words, plan, Path(plot) if plot else None, tell))
    return 0
