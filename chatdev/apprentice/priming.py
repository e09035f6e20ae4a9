"""Copying, built into fresh weights: heads that look a few tokens back, heads that look for what followed then.

A small network finds such pairs of heads (induction heads) only after millions of tokens, and until then it copies
nothing. Written into the first two layers before the training begins, they copy nearly every token at once, and the
training has to learn what is to be copied where.

Every embedding has a code: a few directions that tell tokens apart and are not trained. A head of the first layer has a
query and a key that are the same for every token (they read a direction that all embeddings share), turned against
each other by one to four positions, so that the rotary embedding has its maximum there. It writes that token's code
into directions of its own. A head of the second layer looks from the codes of the last four tokens to those
directions, in the slowly turning pairs of dimensions only, which hardly change over the distance, and copies the
embedding it finds. The last two tokens have to be the same; where several places have them, the two before decide.
Where no place has them, it looks at the stream's first token and copies nothing: what a task does not tell must not be
mistaken for something that it tells.

The first steps of a training, which learn how often each token occurs, destroy all that: `primed_parts` names what has
to be kept until the network has learned to use it. The first layer does nothing else meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

REACH = 500.0
"""Tokens over which a pair of dimensions must turn by less than one radian to be compared in."""
FAST = 5
"""Pairs of dimensions, the fastest, that tell one place from the next; the others would only add to the noise."""
SPREAD = 0.05
"""Standard deviation of the embeddings."""
SHARED = 0.5
"""Length of what all embeddings share, against that of what they do not."""
BACK = 20.0
"""Attention logits by which a token is preferred that stands one place back, summed for each pair of dimensions."""
MATCHES = (22.0, 16.0, 4.0, 4.0)
"""Attention logits for the last token and those before it where they are the same, one head of the first layer for
each. The first two make a match: a short piece of a word stands in many places."""
SHARES = (3, 3, 2, 2)
"""How the directions that can be compared are shared out among them."""
NOWHERE = 5.0
"""Logits by which the stream's first token counts less than a match."""
COPIERS = 2
"""Heads of the second layer that copy, each a part of the embedding's directions."""
OWN = 2
"""Directions with a meaning of their own: what all embeddings share, and what the stream's first token alone has."""
COPY = 4.0
"""Weight of what is copied, against the residual stream."""
WRITTEN = 2.0
"""Length of a code that the first layer writes, against the embedding's own."""


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
    model, counts = network.model, _counts(network)
    heads, kept_heads, size, width = _sizes(network)
    first, second = model.layers[0], model.layers[1]
    found: dict[tuple[int, int], Part] = {}
    for head in range(len(counts)):
        of, kept = first.self_attn, head * kept_heads // heads
        for matrix, at in ((of.q_proj, head), (of.k_proj, kept), (of.v_proj, kept)):
            found[id(matrix), at] = Part(matrix.weight, False, at * size, size)
    for head, kept in _copiers(network):
        of = second.self_attn
        for matrix, at in ((of.q_proj, head), (of.k_proj, kept), (of.v_proj, kept), (of.o_proj, head)):
            found[id(matrix), at] = Part(matrix.weight, matrix is of.o_proj, at * size, size)
    # What those heads read: a smaller gain of the shared direction alone makes them look everywhere.
    gains = [Part(layer.input_layernorm.weight, False, 0, width) for layer in (first, second)]
    codes = Part(model.embed_tokens.weight, True, 0, OWN + counts[0] + sum(counts))
    # Whatever else the first layer said would drown the codes: a training made it twelve times as loud.
    silent = [Part(matrix.weight, False, 0, width) for matrix in (first.self_attn.o_proj, first.mlp.down_proj)]
    return [*found.values(), *gains, codes, *silent]


@torch.no_grad()
def prime(network: Any) -> None:
    """Build the heads into the first two layers of a fresh Llama with tied embeddings.

    Args:
        network: at least two layers deep; other weights of it stay as they were drawn.
    """
    width, counts = network.config.hidden_size, _counts(network)
    sizes = [OWN, counts[0], *counts, width - OWN - counts[0] - sum(counts)]
    _, code, *written, free = torch.split(torch.arange(width), sizes)
    names = {id(weight): name for name, weight in network.named_parameters()}
    for part in primed_parts(network):
        if "self_attn" in names[id(part.weight)]:
            part.view().mul_(0.1)
    _spell(network, code, written, free)
    plain = SPREAD * ((len(code) + len(free)) / width + SHARED**2) ** 0.5
    _look_back(network, code, written, plain)
    # Behind the first layer: the embedding, what all share, and the codes that were written.
    scale = (plain**2 + sum(counts) / width * (WRITTEN * SPREAD) ** 2) ** 0.5
    _copy(network, code, written, free, scale)


def _spell(network: Any, code: Tensor, written: list[Tensor], free: Tensor) -> None:
    """Give every embedding its code, and nothing where codes will be written.

    All are of one length, or a longer one would be looked at before the nearer one.
    """
    embeddings, width = network.model.embed_tokens.weight, network.config.hidden_size
    embeddings[:, torch.cat([torch.arange(OWN), *written])] = 0
    for some in (code, free):
        embeddings[:, some] *= SPREAD * len(some) ** 0.5 / embeddings[:, some].norm(dim=1, keepdim=True).clamp_min(1e-6)
    first_token = network.config.bos_token_id
    embeddings[first_token] = 0
    embeddings[first_token, 1] = SPREAD * width**0.5
    embeddings[:, 0] = SHARED * SPREAD * width**0.5


def _look_back(network: Any, code: Tensor, written: list[Tensor], plain: float) -> None:
    """Let the first layer write the codes of the tokens before; `plain` is what its input is divided by."""
    heads, kept_heads, size, width = _sizes(network)
    half, fast = size // 2, min(FAST, size // 2)
    speeds, layer = network.model.rotary_emb.inv_freq.float().cpu(), network.model.layers[0]
    of = layer.self_attn
    of.o_proj.weight.zero_()
    layer.mlp.down_proj.weight.zero_()
    strength = (BACK * size**0.5) ** 0.5 / (SHARED * SPREAD * width**0.5 / plain)
    for head, there in enumerate(written):
        at, low, count = head * size, head * kept_heads // heads * size, len(there)
        turn = speeds * (head + 1)
        of.q_proj.weight[at : at + fast, 0] = strength * turn[:fast].cos()
        of.q_proj.weight[at + half : at + half + fast, 0] = -strength * turn[:fast].sin()
        of.k_proj.weight[low : low + fast, 0] = strength
        of.v_proj.weight[low : low + count] = 0
        of.v_proj.weight[low + torch.arange(count), code[:count]] = 1
        of.o_proj.weight[there, at + torch.arange(count)] = WRITTEN * plain


def _copy(network: Any, code: Tensor, written: list[Tensor], free: Tensor, scale: float) -> None:
    """Let heads of the second layer copy what followed the same tokens; `scale` is what its input is divided by."""
    _, _, size, width = _sizes(network)
    slow, half, of = _slow(network), size // 2, network.model.layers[1].self_attn
    # The first token has no code, so it is divided by less.
    lone = SPREAD * (1 + SHARED**2) ** 0.5
    wanted = (sum(MATCHES[:2][: len(written)]) - NOWHERE) * size**0.5
    nowhere = (wanted / (SHARED * width * SPREAD**2 / scale / lone)) ** 0.5
    for head, kept in _copiers(network):
        at, low, copied = head * size, kept * size, free[kept * size : (kept + 1) * size]
        places = iter(slow)
        for here, there, match in zip([code, *written], written, MATCHES, strict=False):
            count = len(there)
            strength = (match * size**0.5 / count) ** 0.5 / (WRITTEN * SPREAD / scale)
            compared = torch.tensor([next(places) for _ in range(count)])
            of.q_proj.weight[at + compared, here[:count]] = strength * (WRITTEN if here is code else 1)
            of.k_proj.weight[low + compared, there] = strength
        # The slowest pair of dimensions, which is left out of what is compared.
        of.q_proj.weight[at + half - 1, 0] = nowhere
        of.k_proj.weight[low + half - 1, 1] = nowhere
        of.v_proj.weight[low + torch.arange(len(copied)), copied] = 1
        of.o_proj.weight[copied, at + torch.arange(len(copied))] = COPY * scale


def _sizes(network: Any) -> tuple[int, int, int, int]:
    """Heads, heads of keys, dimensions of a head, width."""
    config = network.config
    return config.num_attention_heads, config.num_key_value_heads, config.head_dim, config.hidden_size


def _copiers(network: Any) -> list[tuple[int, int]]:
    """The heads that copy, each with its head of keys."""
    heads, kept_heads, _, _ = _sizes(network)
    return [(kept * heads // kept_heads, kept) for kept in range(min(COPIERS, kept_heads))]


def _slow(network: Any) -> list[int]:
    """The dimensions of a head that turn slowly enough to be compared, without the slowest pair."""
    speeds = network.model.rotary_emb.inv_freq.float().cpu()
    found: list[int] = [at for at, speed in enumerate(speeds.tolist()[:-1]) if speed * REACH < 1]
    return [*found, *(at + len(speeds) for at in found)]


def _counts(network: Any) -> list[int]:
    """Directions of the code of each token that is compared: as many as the head and the width have room for."""
    heads, _, _, width = _sizes(network)
    shares = SHARES[:heads]
    room = min(len(_slow(network)) / sum(shares), (width - OWN) / 2 / (shares[0] + sum(shares)))
    return [max(1, int(room * share)) for share in shares]
