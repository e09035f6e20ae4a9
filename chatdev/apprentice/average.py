"""The average of two trainings, weight by weight: what the one forgot and what the other had not learned yet, in one.

    python -m chatdev.apprentice.average BEFORE AFTER --share 0.4 --out FOLDER

BEFORE is the folder that the training AFTER began from, as `--base` named it, so that both are near to each other
(Wortsman et al., arXiv 2109.01903). The result is an ordinary Hugging Face folder; the shares stand beside it.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import click

from chatdev.apprentice import FACTS
from chatdev.errors import UserError
from chatdev.run.files import write_json

WEIGHTS = "model.safetensors"


def average(before: Path, after: Path, share: float, out: Path) -> None:
    """Write the folder `out`: all of `before`, with weights of which `share` comes from `after`.

    Raises:
        UserError: one has no weights, or they are of another shape.
    """
    import torch
    from safetensors.torch import load_file, save_file

    for folder in (before, after):
        if not (folder / WEIGHTS).is_file():
            raise UserError(f"there is no {WEIGHTS} in it", where=str(folder), fix="Name the folder of a trained model")
    old, new = load_file(before / WEIGHTS), load_file(after / WEIGHTS)
    if {name: w.shape for name, w in old.items()} != {name: w.shape for name, w in new.items()}:
        raise UserError("these are no trainings of one model: their weights have other names or shapes")
    mixed = {
        name: ((1 - share) * old[name].float() + share * new[name].float()).to(torch.bfloat16).contiguous()
        for name in old
    }
    shutil.copytree(before, out, dirs_exist_ok=True)
    save_file(mixed, out / WEIGHTS, metadata={"format": "pt"})
    facts = json.loads((before / FACTS).read_text(encoding="utf-8")) if (before / FACTS).is_file() else {}
    write_json(out / FACTS, {**facts, "averaged": [*facts.get("averaged", []), share]})


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("before", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("after", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--share", required=True, type=click.FloatRange(0, 1), help="How much of the result is AFTER.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the result.")
def main(before: Path, after: Path, share: float, out: Path) -> None:
    """Average the weights of two trainings, of which AFTER began from BEFORE."""
    average(before, after, share, out)
    click.echo(str(out))


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except (UserError, click.ClickException) as error:
        click.echo(f"error: {error.format_message() if isinstance(error, click.ClickException) else error}", err=True)
        sys.exit(1)
