"""A small trained model far beyond its context: does it stay as good as inside it? (bar 9)

    python -m benchmarks.local_trained --model FOLDER --tokens 50000

The text is a row of the model's own samples, so that it is text the model knows how to continue. "Inside the context"
is the same text, every token predicted from the half to the whole trained context before it and from nothing else.
"""

from __future__ import annotations

import argparse
from math import exp
from pathlib import Path
from typing import Any

import torch

from benchmarks.local_common import report
from chatdev.llm.local import open_local
from chatdev.llm.local.perplexity import Plan, figure, losses, measure


def main() -> None:
    """Run it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", required=True)
    options.add_argument("--tokens", type=int, default=50_000)
    options.add_argument("--window", type=int)
    options.add_argument("--plot", type=Path)
    given = options.parse_args()
    model = open_local(given.model, window=given.window)
    network, trained = model.network, model.network.config.max_position_embeddings
    samples = sample(network, given.tokens, trained // 2, model.tokenizer.bos_token_id)
    text = torch.cat(samples)
    best = exp(inside(network, text, trained))
    window = given.window or model.settings.window
    curves = measure(network, text, Plan(window=window, sinks=(0, 1, 2, 4), dense=8 * trained, samples=0))
    rows = [["cache", "perplexity", "against inside the context"], ["inside the context", f"{best:.3f}", ""]]
    for curve in curves:
        rows.append([curve.name, f"{curve.perplexity:,.3f}", f"{curve.perplexity / best - 1:+.1%}"])
    report(f"{len(text):,} tokens, context {trained}, window {window}", rows, "sinks within 3 %, dense degrades")
    if given.plot:
        figure(curves, given.plot, f"{len(text):,} tokens, trained on {trained}")


@torch.no_grad()
def inside(network: Any, text: torch.Tensor, trained: int, head: int = 0) -> float:
    """Mean loss of all tokens but the first half context, each run afresh with at least half the context before it.

    Args:
        head: tokens at the beginning of the text that stand before every piece, for a model that never saw a text
            without them.
    """
    half, found = (trained - head) // 2, []
    for at in range(head, len(text) - 2 * half, half):
        piece = torch.cat([text[:head], text[at : at + 2 * half]])
        logits = network(input_ids=piece[None]).logits[0]
        found.append(losses(logits[head + half - 1 : -1], piece[head + half :]))
    return float(torch.cat(found).mean())


@torch.no_grad()
def sample(network: Any, tokens: int, length: int, first: int, rows: int = 64) -> list[torch.Tensor]:
    """Samples at temperature 1 of `length` tokens each, [length] every one."""
    generator, found = torch.Generator().manual_seed(3), []
    while sum(len(piece) for piece in found) < tokens:
        ids, cache = torch.full((rows, 1), first), None
        for _ in range(length - 1):
            out = network(input_ids=ids[:, -1:], past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            odds = out.logits[:, -1].float().softmax(-1)
            ids = torch.cat([ids, torch.multinomial(odds, 1, generator=generator)], dim=1)
        found.extend(ids)
    return found[: -(-tokens // length)]


if __name__ == "__main__":
    main()
