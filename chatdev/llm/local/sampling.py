"""From logits to tokens, reproducibly: the random number of a token depends on the seed and its place alone.

So a reply is the same whether its tokens were computed one by one, verified as drafts several at a time, or in a
batch with other streams, and a fork that goes the same way says the same. Sampling is by the inverse of the
cumulative distribution over what temperature, top-k and top-p (nucleus sampling, Holtzman et al. 2020) leave.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import torch
from torch import Tensor

from chatdev.llm.base import Sampling

NUCLEUS = 1024
"""Candidates that are sorted first; the whole vocabulary only when they do not hold the probability asked for."""


@dataclass(frozen=True)
class Sampler:
    """Chooses tokens for one stream."""

    how: Sampling
    seed: int
    reach: int = 4096
    """How many of the newest tokens the repetition penalty looks at."""

    def chance(self, position: int) -> float:
        """The random number in [0, 1) of the token at `position` of the stream."""
        digest = blake2b(f"{self.seed}:{position}".encode(), digest_size=7).digest()
        return int.from_bytes(digest, "big") / 2**56

    def choose(self, logits: Tensor, position: int, before: list[int]) -> int:
        """The token at `position`.

        Args:
            logits: [vocabulary], any float dtype, any device.
            position: number of tokens before it in the stream.
            before: ids that the repetition penalty applies to (CTRL, Keskar et al. 2019, section 4.1).
        """
        how = self.how
        if how.repetition_penalty != 1.0 and before:
            logits = _penalised(logits.float(), before[-self.reach :], how.repetition_penalty)
        if how.temperature <= 0:
            return int(logits.argmax())
        return self._sample(logits.float() / how.temperature, self.chance(position))

    def accept(self, logits: Tensor, position: int, draft: list[int], before: list[int]) -> list[int]:
        """The tokens from `position` on that the model itself would choose: the agreed part of `draft`, and one more.

        Args:
            logits: [len(draft) + 1, vocabulary]; row i is what follows the first i tokens of the draft.
        """
        if self.how.temperature <= 0 and self.how.repetition_penalty == 1.0:
            own = logits.argmax(-1).tolist()
        else:
            own = []
            for i in range(len(draft) + 1):
                own.append(self.choose(logits[i], position + i, before + own))
                if i < len(draft) and own[i] != draft[i]:
                    break
        for i, token in enumerate(draft):
            if own[i] != token:
                return [*own[: i + 1]]
        return list(own)

    def _sample(self, logits: Tensor, chance: float) -> int:
        how = self.how
        if how.top_k <= 0 and how.top_p >= 1:
            return _inverse(logits.softmax(-1), chance)
        odds = logits.softmax(-1)
        size = min(how.top_k or NUCLEUS, odds.shape[-1])
        top, ids = odds.topk(size)
        if how.top_k <= 0 and float(top.sum()) < how.top_p:
            top, ids = odds.sort(descending=True)
        if how.top_k > 0:
            top = top / top.sum()
        if how.top_p < 1:
            # A candidate stays when those before it do not yet reach the wanted mass; the first always does.
            top = top * ((top.cumsum(-1) - top) < how.top_p)
        return int(ids[_inverse(top, chance)])


def _inverse(odds: Tensor, chance: float) -> int:
    mass = odds.cumsum(-1, dtype=torch.float64)
    place = int(torch.searchsorted(mass, mass[-1:] * chance, right=True))
    if place < len(odds) and odds[place] > 0:
        return place
    # Rounding may put the place behind the last possible token.
    return int(torch.nonzero(odds)[-1])


def _penalised(logits: Tensor, before: list[int], by: float) -> Tensor:
    seen = torch.tensor(before, device=logits.device)
    values = logits[seen]
    return logits.index_copy(0, seen, torch.where(values > 0, values / by, values * by))
