"""Train the apprentice: one command from the curriculum to a Hugging Face folder.

    python -m chatdev.apprentice.train --out runs/full --shape full --tokens 300M
    python -m chatdev.apprentice.train --out runs/full --minutes 9        # the same again: it goes on where it stopped

First a tokenizer is made, then lessons are rehearsed by several processes, then the network is trained on them. Each
part is kept in the folder and done once; the options of the first start are remembered in `options.json`.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import click

from chatdev.apprentice import FACTS, WEIGHTS
from chatdev.apprentice.install import install_weights
from chatdev.apprentice.options import CHOICES, Options, amount, fault, remembered
from chatdev.cli.common import Number
from chatdev.errors import UserError
from chatdev.run.files import write_json


def _amount(ctx: click.Context, param: click.Parameter, text: str | None) -> int | None:
    try:
        return None if text is None else amount(text)
    except UserError as error:
        raise click.BadParameter(str(error), ctx, param) from None


def _names(ctx: click.Context, param: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(sorted(filter(None, text.split(","))))


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": False})
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of this training.")
@click.option("--shape", type=click.Choice(CHOICES["shape"]), help="Its size.  [default: full]")
@click.option("--tokens", callback=_amount, help="Tokens to be fed in all.  [default: 300M]")
@click.option("--batch", callback=_amount, help="Tokens of a step.  [default: 65536; 8k is right on a CPU]")
@click.option("--lr", type=float, help="Largest learning rate of AdamW.  [default: 0.002]")
@click.option("--optimizer", type=click.Choice(CHOICES["optimizer"]), help="What moves the weights.  [default: adamw]")
@click.option("--drills", type=float, help="Share of rows that are drills.  [default: 0.35]")
@click.option("--alone", type=float, help="Share of the training in which there are drills only.  [default: 0.05]")
@click.option("--kept", type=float, help="Share in which the built-in heads stay as they are.  [default: 1]")
@click.option("--shortest", type=int, help="Longest row at the beginning.  [default: 384]")
@click.option("--grown", type=float, help="Share of the training until rows are whole.  [default: 0.3]")
@click.option("--emphasis", type=float, help="Weight of values and lines of settings.  [default: 2]")
@click.option("--opening", type=float, help="Weight of the first token of a reply.  [default: 4]")
@click.option("--built", type=float, help="Share of --programs among the rows that are no drills.  [default: 0.25]")
@click.option("--cooled", type=float, help="Share at the end in which the learning rate falls.  [default: 0.25]")
@click.option("--lessons", callback=_amount, help="Lessons to rehearse.  [default: 20k]")
@click.option("--lists", callback=_amount, help="Lessons of which only the settings are drilled.  [default: 40k]")
@click.option("--programs", callback=_amount, help="Lessons drilled without what is asked.  [default: 0]")
@click.option("--endless", callback=_amount, help="Streams of one task after the other.  [default: 0]")
@click.option("--families", callback=_names, help="Families that are taught, as a,b,c.  [default: all]")
@click.option(
    "--base", type=click.Path(exists=True, file_okay=False), help="Folder of a trained apprentice to begin from."
)
@click.option("--vocabulary", type=int, help="Tokens of the tokenizer.  [default: the shape's]")
@click.option("--seed", type=int, help="Seed of everything.  [default: 0]")
@click.option("--measure", callback=_amount, help="Tokens between two measurements.  [default: 20M]")
@click.option("--curriculum", help="Module of the curriculum.")
@click.option("--workers", type=click.IntRange(0), help="Processes that rehearse.  [default: one a core]")
@click.option("--minutes", type=Number(0), help="Stop after this time, to go on later.")
@click.option("--prepare", is_flag=True, help="Only make tokenizer and lessons.")
@click.option("--threads", type=click.IntRange(1), help="Threads of the CPU.")
@click.option("--install", is_flag=True, help="Put the trained model into the package.")
def main(
    out: Path, workers: int | None, minutes: float | None, prepare: bool, threads: int | None,
    install: bool, **given: Any,
) -> None:  # fmt: skip
    """Train the apprentice, or go on with it."""
    begun = time.monotonic()
    chosen = {name: value for name, value in given.items() if value is not None}
    for name, value in chosen.items():
        if why := fault(name, value):
            raise click.BadParameter(why, click.get_current_context(), param_hint=f"'--{name}'")
    options = remembered(out, chosen)
    tokenizer = make_tokenizer(out, options)
    material = make_rows(out, options, workers or os.cpu_count() or 1)
    if prepare:
        rows = material.dialogues
        click.echo(f"{len(rows):,} streams, {int(rows.starts[-1]):,} tokens, {int((rows.kinds > 0).sum()):,} to learn")
        return
    left = None if minutes is None else max(0.1, minutes - (time.monotonic() - begun) / 60)
    done = train(out, options, tokenizer, material, left, threads, workers)
    finish(out, options)
    if install and done:
        install_weights(out / "model", WEIGHTS)
    left_out = ", and nothing is installed before it is done" if install else ""
    click.echo(f"{'done' if done else f'stopped; the same command goes on{left_out}'}: {out / 'model'}")


def make_tokenizer(out: Path, options: Options) -> Any:
    """The tokenizer, trained at the first start."""
    from chatdev.apprentice import tokenizer
    from chatdev.apprentice.network import SHAPES

    folder = out / "tokenizer"
    if options.base and not (folder / "tokenizer.json").is_file():
        tokenizer.save(tokenizer.load(Path(options.base)), folder)
    if not (folder / "tokenizer.json").is_file():
        curriculum = importlib.import_module(options.curriculum)
        names = sorted(curriculum.FAMILIES)
        each = max(4, 400 // len(names))
        lessons = [curriculum.lesson(name, 900_000 + number) for name in names for number in range(each)]
        click.echo(f"tokenizer from {len(lessons)} lessons ...", err=True)
        texts = tokenizer.dialogues(lessons, options.seed)
        made = tokenizer.train(texts, options.vocabulary or SHAPES[options.shape].vocabulary)
        tokenizer.save(made, folder)
    return tokenizer.load(folder)


def make_rows(out: Path, options: Options, workers: int) -> Any:
    """The `Material` of a training, made at the first start."""
    from chatdev.apprentice.batches import Material
    from chatdev.apprentice.shards import Rows, prepare

    making = options.making(out)
    told = [0.0]

    def tell(what: str, done: float) -> None:
        if done - told[0] >= 0.05 or done == 1:
            told[0] = done
            click.echo(f"{what} {done:.0%}", err=True)

    found: dict[str, Any] = {}
    for kind, lessons in (
        ("lists", options.lists), ("programs", options.programs), ("endless", options.endless),
        ("dialogues", options.lessons),
    ):  # fmt: skip
        told[0] = 0.0
        paths = prepare(making, lessons, out / "shards", workers, tell, kind)
        if paths:
            found[kind] = Rows.joined([Rows.load(path) for path in paths])
    if "endless" in found:
        found["dialogues"] = Rows.joined([found["dialogues"], found.pop("endless")])
    return Material(**found)


def train(
    out: Path, options: Options, tokenizer: Any, material: Any, minutes: float | None,
    threads: int | None, workers: int | None,
) -> bool:  # fmt: skip
    """Train for some minutes or to the end; True when it is done."""
    import torch

    from chatdev.apprentice.recipe import Recipe
    from chatdev.apprentice.shards import Rows, held_out_rows
    from chatdev.apprentice.streams import Spelling
    from chatdev.apprentice.training import Training
    from chatdev.apprentice.trial import free_slots

    if threads:
        torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("high")
    spelling = Spelling.of(tokenizer)
    held = out / "held_out.npz"
    if not held.is_file():
        held_out_rows(options.making(out), spelling, 40).save(held)
    network = first_weights(options, tokenizer)
    given = asdict(options)
    recipe = Recipe(**{one.name: given[one.name] for one in fields(Recipe) if one.name in given})
    lessons = options.making(out).held_out()
    training = Training(
        network, tokenizer, spelling, material, Rows.load(held), recipe, out,
        tell=lambda text: click.echo(text, err=True),
        extra=lambda one: free_slots(one, tokenizer, lessons[:: max(1, len(lessons) // 12)][:12]),
        workers=min(8, (os.cpu_count() or 1) // 2) if workers is None else workers // 2,
    )  # fmt: skip
    count = sum(weight.numel() for weight in network.parameters())
    click.echo(f"{count:,} parameters on {training.device}, {len(material.dialogues):,} streams", err=True)
    for ending in (signal.SIGINT, signal.SIGTERM):  # a shell has its background jobs ignore the first
        signal.signal(ending, signal.default_int_handler)
    try:
        return training.run(minutes)
    except KeyboardInterrupt:
        return False


def first_weights(options: Options, tokenizer: Any) -> Any:
    """The network as it is before the first step, in fp32: fresh, or as an earlier training left it."""
    import torch
    from transformers import AutoModelForCausalLM

    from chatdev.apprentice.network import SHAPES, new
    from chatdev.apprentice.rehearsal import BLOCK, WINDOW

    if options.base:
        network = AutoModelForCausalLM.from_pretrained(options.base, dtype=torch.float32)
        if network.config.max_position_embeddings < WINDOW + BLOCK:
            raise UserError(
                f"it was trained for {network.config.max_position_embeddings:,} positions, and a window of {WINDOW:,} "
                f"needs {WINDOW + BLOCK:,}",
                where=options.base,
                fix="Name another model with --base, or begin without one",
            )
        network.config.stream_window = WINDOW  # its positions may reach further than what it is trained for now
        return network
    return new(SHAPES[options.shape], tokenizer, options.seed)


def finish(out: Path, options: Options) -> None:
    """Write what the model was trained on, and its card, beside the weights."""
    from chatdev.apprentice.card import card
    from chatdev.apprentice.digest import prompt_digests

    curriculum, making = importlib.import_module(options.curriculum), options.making(out)
    path = out / "log.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    log = [json.loads(line) for line in lines]
    held = [line for line in log if "held_out" in line]
    facts = {
        "families": making.taught(),
        "curriculum": curriculum.digest(making.held_out()),
        "prompts": prompt_digests(),
        "options": asdict(options),
        "measured": held[-1] if held else {},
    }
    write_json(out / "model" / FACTS, facts)
    (out / "model" / "README.md").write_text(card(facts), encoding="utf-8")


if __name__ == "__main__":
    from chatdev.cli import ended

    sys.exit(ended(lambda: main(standalone_mode=False)))
