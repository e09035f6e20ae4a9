"""The average of two trainings, weight by weight: what the one forgot and what the other had not learned yet, in one.

    python -m chatdev.apprentice.average BEFORE AFTER --share 0.4 --out FOLDER

BEFORE is the folder that the training AFTER began from, as `--base` named it, so that both are near to each other
(Wortsman et al., arXiv 2109.01903). The result is an ordinary Hugging Face folder: what AFTER was trained on and is run
with (prompts, window) holds for it, and the shares stand beside it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import click

from chatdev.apprentice import FACTS, facts
from chatdev.apprentice.card import card
from chatdev.apprentice.folders import check_model, reason, room_for
from chatdev.cli.common import Number
from chatdev.errors import UserError
from chatdev.run.files import write_json

WEIGHTS = "model.safetensors"


def average(before: Path, after: Path, share: float, out: Path) -> None:
    """Write the folder `out`: all of `after`, with weights of which only `share` comes from it.

    Raises:
        UserError: one has no weights, or they are of another shape, or `out` cannot take the result.
    """
    import torch

    if not 0 <= share <= 1:
        raise UserError(f"a share of {share} is not between 0 and 1")
    _check_place(before, after, out)
    old, new = _weights(before), _weights(after)
    if {name: w.shape for name, w in old.items()} != {name: w.shape for name, w in new.items()}:
        raise UserError("these are no trainings of one model: their weights have other names or shapes")
    check_model(after)
    mixed = {
        name: ((1 - share) * old[name].float() + share * new[name].float()).to(torch.bfloat16).contiguous()
        for name in old
    }
    earlier = facts(before).get("averaged")
    shares = [one for one in (earlier if isinstance(earlier, list) else []) if isinstance(one, float)] + [share]
    known = {name: value for name, value in facts(after).items() if name != "measured"}  # nobody measured the mixture
    _write(mixed, after, out, {**known, "averaged": shares})


def _check_place(before: Path, after: Path, out: Path) -> None:
    """The result must not lie where it is made from."""
    room_for(out)
    place = out.resolve()
    if any(folder.resolve() in (place, *place.parents) for folder in (before, after)):
        fix = "Name another folder with --out"
        raise UserError("the average would be written into what it is made from", where=str(out), fix=fix)


def _weights(folder: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / WEIGHTS
    if not path.is_file():
        raise UserError(f"there is no {WEIGHTS} in it", where=str(folder), fix="Name the folder of a trained model")
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        fix = "Copy the model again, or name another folder"
        raise UserError(f"the weights cannot be read ({reason(error)})", where=str(path), fix=fix) from error


def _write(mixed: dict[str, Any], after: Path, out: Path, known: dict[str, object]) -> None:
    """The weights come last and by a rename: no folder ever holds half of them, or those of `after`."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    part = out / f"{WEIGHTS}.part"
    try:
        out.mkdir(parents=True, exist_ok=True)
        save_file(mixed, part, metadata={"format": "pt"})
        others = shutil.ignore_patterns(WEIGHTS, FACTS)
        shutil.copytree(after, out, dirs_exist_ok=True, ignore=others)
        write_json(out / FACTS, known)
        if isinstance(known.get("families"), list) and isinstance(known.get("options"), dict):
            (out / "README.md").write_text(card(known), encoding="utf-8")
        part.replace(out / WEIGHTS)
    except (OSError, SafetensorError) as error:
        fix = "Mend that, then do the same again"
        raise UserError(f"the average cannot be written ({reason(error)})", where=str(out), fix=fix) from error
    finally:
        part.unlink(missing_ok=True)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("before", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("after", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--share", required=True, type=Number(0, 1), help="How much of the result is AFTER.")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the result.")
def main(before: Path, after: Path, share: float, out: Path) -> None:
    """Average the weights of two trainings, of which AFTER began from BEFORE."""
    average(before, after, share, out)
    click.echo(str(out))


if __name__ == "__main__":
    from chatdev.cli import ended

    sys.exit(ended(lambda: main(standalone_mode=False)))
