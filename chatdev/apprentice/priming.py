"""Copying, built into fresh weights: a head that looks one token back, and one that looks for what followed then.

A small network finds this pair of heads (an induction head) only after millions of tokens, and until then it copies
nothing. Written into the first two layers before the training begins, it copies a third of random tokens at once, at
any distance of the window, and the training has only to sharpen it and to learn what is to be copied where.

The first head has a query and a key that are the same for every token (they read a direction that all embeddings
share), turned against each other by one position, so that the rotary embedding has its maximum there. It writes a
projection of the last token's embedding into directions of its own. The second head looks from a token's embedding to
those directions, in the slowly turning pairs of dimensions only, which hardly change over the distance.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

REACH = 500.0
"""Tokens over which a pair of dimensions must turn by less than one radian to be compared in."""
SPREAD = 0.05
"""Standard deviation of the embeddings."""
SHARED = 0.5
"""Length of what all embeddings share, against that of what they do not."""
BACK = 10.0
"""Attention logits by which a token is preferred that stands one place back, summed for each pair of dimensions."""
MATCH = 16.0
"""Attention logit of a token that followed the same token."""
COPY = 4.0
"""Weight of what is copied, against the residual stream."""


@torch.no_grad()
def prime(network: Any, seed: int) -> None:
    """Build the two heads into the first two layers of a fresh Llama with tied embeddings.

    Args:
        network: at least two layers deep; other weights of it stay as they were drawn.
        seed: draws the projections.
    """
    config = network.config
    width, heads = config.hidden_size, config.num_attention_heads
    size = width // heads
    half = size // 2
    speeds = network.model.rotary_emb.inv_freq.float().cpu()
    slow = [at for at in range(half) if speeds[at] * REACH < 1]
    slow = [*slow, *(at + half for at in slow)]
    dice = torch.Generator().manual_seed(seed)

    embeddings = network.model.embed_tokens.weight
    embeddings.mul_(SPREAD / embeddings.std())
    embeddings[:, 0] = SHARED * SPREAD * width**0.5
    first, second = network.model.layers[0].self_attn, network.model.layers[1].self_attn
    for head in (first, second):
        for part in (head.q_proj, head.k_proj, head.v_proj):
            part.weight[:size] *= 0.1
        head.o_proj.weight[:, :size] *= 0.1
    known, written = _directions(len(slow), width, dice), _directions(len(slow), width, dice)
    copied = _directions(size, width, dice)

    shared = SHARED * width**0.5 / (1 + SHARED**2) ** 0.5
    strength = (BACK * size**0.5) ** 0.5 / shared
    first.k_proj.weight[:half, 0] = strength
    first.q_proj.weight[:half, 0] = strength * speeds.cos()
    first.q_proj.weight[half:size, 0] = -strength * speeds.sin()
    first.v_proj.weight[: len(slow)] = known
    first.o_proj.weight[:, : len(slow)] = 2 * SPREAD * (1 + SHARED**2) ** 0.5 * written.T

    # Behind the first layer: the embedding, what all share, and twice the embedding's part that was written.
    scale = SPREAD * (1 + SHARED**2 + 4 * len(slow) / width) ** 0.5
    alike = 2 * len(slow) * (SPREAD / scale) ** 2
    strength = (MATCH * size**0.5 / max(alike, 1e-6)) ** 0.5
    second.q_proj.weight[slow] = strength * known
    second.k_proj.weight[slow] = strength * written
    second.v_proj.weight[:size] = copied
    second.o_proj.weight[:, :size] = 2 * COPY * scale * copied.T


def _directions(count: int, width: int, dice: torch.Generator) -> Tensor:
    """[count, width]: orthogonal directions of length 1 that have nothing of the shared one."""
    found = torch.zeros(count, width)
    found[:, 1:] = torch.linalg.qr(torch.randn(width - 1, width - 1, generator=dice))[0][:count]
    return found
