"""Copying, built into fresh weights: heads that look one and two tokens back, heads that look for what followed then.

A small network finds such pairs of heads (induction heads) only after millions of tokens, and until then it copies
nothing. Written into the first two layers before the training begins, they copy four of five tokens at once, and the
training has to learn what is to be copied where.

A head of the first layer has a query and a key that are the same for every token (they read a direction that all
embeddings share), turned against each other by one or two positions, so that the rotary embedding has its maximum
there. It writes a projection of that token's embedding into directions of its own. A head of the second layer looks
from the last two tokens to those directions, in the slowly turning pairs of dimensions only, which hardly change over
the distance, and copies the embedding it finds.

The first steps of a training, which learn how often each token occurs, destroy all that: `primed_parts` names what has
to be kept until the network has learned to use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

REACH = 500.0
"""Tokens over which a pair of dimensions must turn by less than one radian to be compared in."""
FAST = 7
"""Pairs of dimensions, the fastest, that tell one place from the next; the others would only add to the noise."""
SPREAD = 0.05
"""Standard deviation of the embeddings."""
SHARED = 0.5
"""Length of what all embeddings share, against that of what they do not."""
BACK = 10.0
"""Attention logits by which a token is preferred that stands one place back, summed for each pair of dimensions."""
BACKS = 2
"""Tokens that are compared, one head of the first layer for each: words of a task are spelled in short pieces, of which
one alone stands in many places."""
MATCH = 18.0
"""Attention logit for each of them that is the same."""
COPIERS = 2
"""Heads of the second layer that copy, each a part of the embedding's directions."""
COPY = 4.0
"""Weight of what is copied, against the residual stream."""


@dataclass(frozen=True)
class Part:
    """Rows of a matrix, or columns."""

    weight: Tensor
    columns: bool
    start: int
    size: int

    def view(self) -> Tensor:
        """The part itself: what is written to it is written to the matrix."""
        return self.weight.detach().narrow(1 if self.columns else 0, self.start, self.size)


def primed_parts(network: Any) -> list[Part]:
    """The parts of a network that `prime` writes, or that what it writes depends on."""
    config = network.config
    heads, kept_heads, size = config.num_attention_heads, config.num_key_value_heads, _size(network)
    found: dict[tuple[int, bool, int], Part] = {}
    looking = [(0, head, head * kept_heads // heads) for head in range(_backs(network))]
    looking += [(1, kept * heads // kept_heads, kept) for kept in range(min(COPIERS, kept_heads))]
    for layer, head, kept in looking:
        of = network.model.layers[layer].self_attn
        places = ((of.q_proj, False, head), (of.k_proj, False, kept), (of.v_proj, False, kept), (of.o_proj, True, head))
        for matrix, columns, at in places:
            found[id(matrix), columns, at] = Part(matrix.weight, columns, at * size, size)
    # What the first layer's heads read: a smaller gain of the shared direction alone makes them look everywhere.
    model, width = network.model, config.hidden_size
    gains = [Part(layer.input_layernorm.weight, False, 0, width) for layer in model.layers[:2]]
    return [*found.values(), *gains, Part(model.embed_tokens.weight, True, 0, 1)]


@torch.no_grad()
def prime(network: Any, seed: int) -> None:
    """Build the heads into the first two layers of a fresh Llama with tied embeddings.

    Args:
        network: at least two layers deep; other weights of it stay as they were drawn.
        seed: draws the projections.
    """
    config = network.config
    width, heads, kept_heads = config.hidden_size, config.num_attention_heads, config.num_key_value_heads
    size, slow, back = _size(network), _slow(network), _backs(network)
    half, count = size // 2, len(slow)
    fast = min(FAST, half)
    speeds = network.model.rotary_emb.inv_freq.float().cpu()
    dice = torch.Generator().manual_seed(seed)
    known = _directions(count, width, dice)
    apart = _directions(width - 1, width, dice)
    written, free = torch.split(apart[: back * count], count), apart[back * count :]
    first, second = network.model.layers[0].self_attn, network.model.layers[1].self_attn

    names = {id(weight): name for name, weight in network.named_parameters()}
    embeddings = network.model.embed_tokens.weight
    # All of one length, or a longer one would be looked at before the nearer one.
    embeddings.mul_(SPREAD * (width - 1) ** 0.5 / embeddings[:, 1:].norm(dim=1, keepdim=True).clamp_min(1e-6))
    embeddings[:, 0] = SHARED * SPREAD * width**0.5
    for part in primed_parts(network):
        if "self_attn" in names[id(part.weight)]:
            part.view().mul_(0.1)

    shared = SHARED * width**0.5 / (1 + SHARED**2) ** 0.5
    strength = (BACK * size**0.5) ** 0.5 / shared
    for head in range(back):
        at, low = head * size, head * kept_heads // heads * size
        turn = speeds * (head + 1)
        first.q_proj.weight[at : at + fast, 0] = strength * turn[:fast].cos()
        first.q_proj.weight[at + half : at + half + fast, 0] = -strength * turn[:fast].sin()
        first.k_proj.weight[low : low + fast, 0] = strength
        first.v_proj.weight[low : low + count] = known
        first.o_proj.weight[:, at : at + count] = 2 * SPREAD * (1 + SHARED**2) ** 0.5 * written[head].T

    # Behind the first layer: the embedding, what all share, and twice the parts of embeddings that were written.
    scale = SPREAD * (1 + SHARED**2 + 4 * back * count / width) ** 0.5
    strength = (MATCH * size**0.5 / (4 * count * (SPREAD / scale) ** 2)) ** 0.5
    turns = [torch.linalg.qr(torch.randn(count, count, generator=dice))[0] for _ in range(back)]
    here = [2 * known, *written]
    query = strength * sum(turn @ one for turn, one in zip(turns, here, strict=False))
    key = strength * sum(turn @ one for turn, one in zip(turns, written, strict=True))
    for kept in range(min(COPIERS, kept_heads)):
        at, low, copied = kept * heads // kept_heads * size, kept * size, free[kept * size : (kept + 1) * size]
        second.q_proj.weight[[at + one for one in slow]] = query
        second.k_proj.weight[[low + one for one in slow]] = key
        second.v_proj.weight[low : low + len(copied)] = copied
        second.o_proj.weight[:, at : at + len(copied)] = 2 * COPY * scale * copied.T


def _size(network: Any) -> int:
    size: int = network.config.hidden_size // network.config.num_attention_heads
    return size


def _slow(network: Any) -> list[int]:
    """The dimensions of a head that turn slowly enough to be compared."""
    speeds = network.model.rotary_emb.inv_freq.float().cpu()
    found: list[int] = [at for at, speed in enumerate(speeds.tolist()) if speed * REACH < 1]
    return [*found, *(at + len(speeds) for at in found)]


def _backs(network: Any) -> int:
    """How many tokens are compared: as many as the width has room for."""
    room: int = (network.config.hidden_size - 1) // (2 * len(_slow(network)))
    heads: int = network.config.num_attention_heads
    return max(1, min(BACKS, heads, room))


def _directions(count: int, width: int, dice: torch.Generator) -> Tensor:
    """[count, width]: orthogonal directions of length 1 that have nothing of the shared one."""
    found = torch.zeros(count, width)
    found[:, 1:] = torch.linalg.qr(torch.randn(width - 1, width - 1, generator=dice))[0][:count]
    return found
