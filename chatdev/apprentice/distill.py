"""Distil journals into a local model: what a company said and the ladder verified becomes training text.

Any company's journals do, made by any model: an endpoint's work teaches a local model the same company's ways. Streams
are made exactly as the local engine will feed them, and loss is taken on the agents' own replies only.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chatdev.apprentice import NAME, bundled
from chatdev.apprentice.folders import room_for
from chatdev.errors import UserError

if TYPE_CHECKING:
    from chatdev.apprentice.streams import Row, Spelling, Told

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Distilling:
    """How a distillation goes."""

    epochs: float = 3.0
    lr: float = 1e-4
    batch: int = 8_192
    """Tokens of a step."""
    seed: int = 0
    held_out: float = 0.1
    """Share of the journals that is only measured on."""
    window: int | None = None
    """Tokens a stream holds; what the engine would take for this model, unless given."""
    everything: bool = False
    """Learn from runs that were not verified as well."""


def distill(
    journals: Sequence[Path], base: str, out: Path, how: Distilling, *, minutes: float | None, tell: Tell
) -> bool:
    """Fine-tune `base` on journals (product folders or journal files); True when it is done.

    The result lies in `out/model`; the same call goes on with a stopped one.

    Raises:
        UserError: no such model or journal, or nothing in them to learn.
    """
    from chatdev.apprentice.batches import Material
    from chatdev.apprentice.recipe import Recipe
    from chatdev.apprentice.shards import Rows
    from chatdev.apprentice.streams import Spelling
    from chatdev.apprentice.training import Training
    from chatdev.llm.local import open_local
    from chatdev.llm.local.lean import import_quietly
    from chatdev.llm.local.rope import UnsupportedModelError

    room_for(out)
    products = _products(journals, how)
    import_quietly()
    model = open_local(_named(base), precision="fp32", window=how.window, on_notice=tell)
    window = model.settings.window
    spelling = Spelling.of(model.tokenizer, model.ends)
    learned, held = _split(products, spelling, how)
    rows, held_rows = Rows.of(learned, 2 * window), Rows.of(held, 2 * window)
    if not len(rows):
        raise UserError(
            f"no reply that could be learned begins within {2 * window:,} tokens, two windows",
            where=str(journals[0]),
            fix="Give a larger --window, or other products",
        )
    tokens = int(rows.starts[-1] * how.epochs)
    counts = f"{int((rows.kinds > 0).sum()):,} of {int(rows.starts[-1]):,} tokens are learned"
    tell(f"{len(rows)} streams to learn, {len(held_rows)} held out; {counts}")
    recipe = Recipe(
        tokens=tokens, batch=how.batch, lr=how.lr, seed=how.seed, drills=0.0, shortest=2 * window, grown=0.0,
        emphasis=1.0, window=window, measure=max(1, tokens // 10),
    )  # fmt: skip
    network = model.network.requires_grad_(True).train()
    network.config.get_text_config(decoder=True).stream_window = window
    try:
        training = Training(network, model.tokenizer, spelling, Material(rows), held_rows, recipe, out, tell=tell)
        return training.run(minutes)
    except UnsupportedModelError as error:
        raise UserError(f"this model cannot be trained on streams ({error})", where=base) from error


def _products(journals: Sequence[Path], how: Distilling) -> list[Told]:
    """What the journals hold, read before the model is: that takes seconds, and a path is soon mistyped."""
    from chatdev.apprentice.streams import read_product

    read = (read_product(path, only_verified=not how.everything) for path in journals)
    found = [one for one in read if one is not None]
    if not found:
        raise UserError(
            "there is nothing to learn in these journals",
            where=str(journals[0]),
            fix="Name products that were " + ("begun" if how.everything else "verified, or use --all"),
        )
    return found


def _named(base: str) -> str:
    """The model to begin with; `apprentice` is the one in the package, as everywhere."""
    if base != NAME:
        return base
    folder = bundled()
    if folder is None:
        raise UserError("the bundled apprentice is not in this package", fix="Name a model: --base hf:FOLDER-OR-ID")
    return str(folder)


def _split(products: Sequence[Told], spelling: Spelling, how: Distilling) -> tuple[list[Row], list[Row]]:
    """(to learn, held out): whole journals, as streams of one run say the same things; one of many at least."""
    found = [rows for one in products if (rows := one.rows(spelling))]
    random.Random(f"{how.seed}/held out").shuffle(found)
    count = max(1, round(len(found) * how.held_out)) if how.held_out and len(found) > 1 else 0
    return [row for rows in found[count:] for row in rows], [row for rows in found[:count] for row in rows]
