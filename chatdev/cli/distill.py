"""`distill`: turn journals into training data and fine-tune a local model on them."""

from __future__ import annotations

import math
from pathlib import Path

import click

from chatdev.errors import UserError


@click.command("distill")
@click.argument("journals", nargs=-1, required=True, metavar="JOURNALS...")
@click.option(
    "--base", required=True, metavar="MODEL", help="The local model to begin with: hf:FOLDER-OR-ID or apprentice."
)
@click.option("--out", required=True, metavar="FOLDER", help="Where the training and its result go.")
@click.option("--epochs", type=float, default=3.0, show_default=True, help="How often everything is learned.")
@click.option("--lr", type=float, default=1e-4, show_default=True, help="Largest learning rate.")
@click.option("--batch", type=int, default=8192, show_default=True, metavar="TOKENS", help="Tokens of a step.")
@click.option(
    "--window", type=click.IntRange(64), metavar="TOKENS", help="Tokens a stream keeps.  [default: what the model can]"
)
@click.option("--held-out", type=float, default=0.1, show_default=True, help="Share of the journals only measured on.")
@click.option("--all", "everything", is_flag=True, help="Learn from runs that were not verified as well.")
@click.option("--minutes", type=float, help="Stop after this time; the same command goes on.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the training.")
def distill_command(
    journals: tuple[str, ...],
    base: str,
    out: str,
    epochs: float,
    lr: float,
    batch: int,
    window: int | None,
    held_out: float,
    everything: bool,
    minutes: float | None,
    seed: int,
) -> int:
    """Fine-tune a local model on what a company said.

    JOURNALS are products (their folders) or journal.jsonl files. Learned are the agents' own replies, of runs that
    were verified and where they were used as they were; the streams are those that the local engine would hold. The
    result is an ordinary model folder, OUT/model, with a curve of the losses beside it.
    """
    from chatdev.apprentice.distill import Distilling, distill

    # Said so that nan, which is neither above nor below anything, is none of them.
    timed = minutes is None or 0 <= minutes < math.inf
    if not (0 <= held_out < 1 and 0 < epochs < math.inf and 0 < lr < math.inf and batch >= 64 and timed):
        raise UserError(
            "these numbers make no training",
            fix="--held-out from 0 to below 1, --epochs and --lr above 0, --batch 64 or more, --minutes 0 or more",
        )
    how = Distilling(epochs, lr, batch, seed, held_out, window, everything)
    paths = [Path(one).expanduser() for one in journals]
    folder = Path(out).expanduser()
    done = distill(paths, base, folder, how, minutes=minutes, tell=click.echo)
    click.echo(f"{'done' if done else 'stopped; the same command goes on'}; use it with --model hf:{folder / 'model'}")
    return 0
