"""Perplexity of a long text under five ways of keeping a cache: the paper's figure, for any model and text.

Compared are *dense* (nothing evicted), *window* (no sinks), *recompute* (the last tokens run afresh for every token;
the quality one would like to have) and *sinks* (1, 2, 4, … pinned). Every token counts once, chunk borders do not
matter (see `two_queries`); recompute is sampled, since each of its tokens costs a whole window.
Figure: Xiao et al., arXiv 2309.17453, figures 3 and 5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import exp
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from chatdev.llm.local.two_queries import TwoQueries

OnProgress = Callable[[str, float], None]
CAP = 50.0
"""Losses above this many nats are counted as this: a broken model gives any number."""


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    window: int = 1024
    """Tokens in sight, sinks included."""
    sinks: tuple[int, ...] = (0, 1, 2, 4)
    """Numbers of pinned tokens; 0 is the window alone."""
    pinned: int = 0
    """A larger number of pinned tokens to measure besides (a whole prompt); 0 for none."""
    chunk: int = 512
    """Tokens run at once; it changes the speed and not the result."""
    dense: int = 16_384
    """The dense cache is measured up to this many tokens, since its memory and time grow; 0 leaves it out."""
    samples: int = 200
    """Tokens at which recompute is measured, spread evenly; 0 leaves it out."""
    buckets: int = 100
    """Points of a curve."""


@dataclass
class Curve:
    """Mean loss (nats per token) of one way, by place in the text."""

    name: str
    ends: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    tokens: int = 0
    total: float = 0.0
    exact: bool = True
    """False for a sample of the tokens."""

    @property
    def perplexity(self) -> float:
        """Of all tokens that were measured; infinity when none was."""
        return exp(min(700.0, self.total / self.tokens)) if self.tokens else float("inf")


def measure(network: Any, ids: Tensor, plan: Plan, on_progress: OnProgress | None = None) -> list[Curve]:
    """Curves for the tokens `ids` [n] of one text.

    Raises:
        UnsupportedModelError: the keys of the model cannot be moved by rotation.
        ValueError: the text is shorter than two windows.
    """
    if ids.shape[0] < 2 * plan.window:
        raise ValueError(f"{ids.shape[0]:,} tokens are too few to leave a window of {plan.window:,}")
    tell = on_progress or (lambda what, done: None)
    curves: list[Curve] = []
    if plan.dense:
        part = ids[: plan.dense]
        curves.append(_curve("dense", _dense(network, part, plan, tell), plan, ids.shape[0]))
    for sinks in dict.fromkeys((*plan.sinks, *([plan.pinned] if plan.pinned else []))):
        name = f"{sinks} + {plan.window - sinks:,}" if sinks else f"window {plan.window:,}"
        curves.append(_curve(name, _streamed(network, ids, sinks, plan, name, tell), plan, ids.shape[0]))
    if plan.samples:
        curves.append(_recomputed(network, ids, plan, tell))
    return curves


def losses(logits: Tensor, following: Tensor) -> Tensor:
    """Cross entropy of each row [n, vocabulary] for the token that followed it [n]."""
    loss = torch.nn.functional.cross_entropy(logits.float(), following, reduction="none")
    return loss.nan_to_num(CAP, CAP, CAP).clamp_max(CAP).cpu()


def _streamed(network: Any, ids: Tensor, sinks: int, plan: Plan, name: str, tell: OnProgress) -> Tensor:
    state, found = TwoQueries(network, sinks, plan.window - sinks), []
    with state.attention():
        for at in range(0, ids.shape[0] - 1, plan.chunk):
            piece = ids[at : min(at + plan.chunk, ids.shape[0] - 1)]
            found.append(losses(state.feed(piece), ids[at + 1 : at + 1 + piece.shape[0]]))
            tell(name, (at + piece.shape[0]) / ids.shape[0])
    return torch.cat(found)


@torch.no_grad()
def _dense(network: Any, ids: Tensor, plan: Plan, tell: OnProgress) -> Tensor:
    cache, found = DynamicCache(config=network.config), []
    for at in range(0, ids.shape[0] - 1, plan.chunk):
        piece = ids[at : min(at + plan.chunk, ids.shape[0] - 1)]
        logits = network(input_ids=piece[None], past_key_values=cache, use_cache=True).logits[0]
        found.append(losses(logits, ids[at + 1 : at + 1 + piece.shape[0]]))
        tell("dense", (at + piece.shape[0]) / ids.shape[0])
    return torch.cat(found)


@torch.no_grad()
def _recomputed(network: Any, ids: Tensor, plan: Plan, tell: OnProgress) -> Curve:
    step = max(1, (ids.shape[0] - 1 - plan.window) // plan.samples)
    places = list(range(plan.window, ids.shape[0] - 1, step))
    curve = Curve("recompute", exact=False)
    rows = max(1, 8192 // plan.window)
    found = []
    for at in range(0, len(places), rows):
        group = places[at : at + rows]
        batch = torch.stack([ids[p + 1 - plan.window : p + 1] for p in group])
        logits = network(input_ids=batch, use_cache=False, logits_to_keep=1).logits[:, -1]
        found.append(losses(logits, ids[torch.tensor(group, device=ids.device) + 1]))
        tell("recompute", (at + len(group)) / len(places))
    every = torch.cat(found)
    size = max(1, len(places) // min(plan.buckets, 20))
    for start in range(0, len(places), size):
        curve.ends.append(places[min(start + size, len(places)) - 1])
        curve.losses.append(float(every[start : start + size].mean()))
    curve.tokens, curve.total = len(places), float(every.double().sum())
    return curve


def _curve(name: str, every: Tensor, plan: Plan, length: int) -> Curve:
    size = max(1, length // plan.buckets)
    curve = Curve(name, tokens=every.shape[0], total=float(every.double().sum()))
    for start in range(0, every.shape[0], size):
        part = every[start : start + size]
        curve.ends.append(start + part.shape[0])
        curve.losses.append(float(part.double().mean()))
    return curve


def table(curves: Sequence[Curve]) -> str:
    """The result as Markdown."""
    lines = ["| cache | perplexity | tokens |", "|---|---|---|"]
    for curve in curves:
        note = "" if curve.exact else " (sampled)"
        lines.append(f"| {curve.name} | {curve.perplexity:,.2f} | {curve.tokens:,}{note} |")
    return "\n".join(lines)


def figure(curves: Sequence[Curve], path: Path, title: str) -> None:
    """Perplexity against tokens, logarithmic, as a PNG."""
    from chatdev.llm.local.plot import Line, draw

    lines = [Line(c.name, [float(end) for end in c.ends], [exp(loss) for loss in c.losses]) for c in curves if c.ends]
    draw(lines, path, title=title, x="tokens", y="perplexity", log_y=True)


def of_text(model: Any, text: str, plan: Plan, out: Path | None, on_progress: OnProgress | None = None) -> str:
    """Measure a text with a `LocalModel`, draw the figure, and return the table.

    Raises:
        UserError: the text is too short, or the model cannot be measured this way.
    """
    from chatdev.errors import UserError

    ids = model.tokenizer(text, return_tensors="pt")["input_ids"][0].to(model.network.device)
    try:
        curves = measure(model.network, ids, plan, on_progress)
    except ValueError as error:
        raise UserError(str(error), where=model.name, fix="Use a longer text or a smaller --window") from error
    if out is not None:
        figure(curves, out, f"{model.name}: {ids.shape[0]:,} tokens")
    return table(curves)
