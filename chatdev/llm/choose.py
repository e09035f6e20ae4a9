"""From logits to a token, and from tokens to text: what every local engine needs; torch is imported late."""

from __future__ import annotations

from typing import Any

from chatdev.llm.base import Sampling


def choose(logits: Any, before: list[int], how: Sampling, chance: Any) -> int:
    """The next token: greedy at temperature 0, else sampled among what top-k and top-p leave.

    Args:
        logits: [vocabulary], float32 on the CPU.
        before: ids of prompt and reply so far, for the repetition penalty (CTRL, Keskar et al. 2019, 4.1).
        how: the sampling settings; top-p is nucleus sampling (Holtzman et al. 2020).
        chance: a `torch.Generator` on the CPU.
    """
    import torch

    if how.repetition_penalty != 1.0 and before:
        seen = torch.tensor(sorted(set(before)))
        values, by = logits[seen], how.repetition_penalty
        logits = logits.index_copy(0, seen, torch.where(values > 0, values / by, values * by))
    if how.temperature <= 0:
        return int(logits.argmax())
    values, tokens = (logits / how.temperature).sort(descending=True)
    odds = values.softmax(-1)
    if how.top_k > 0:
        odds[how.top_k :] = 0
    if how.top_p < 1:
        odds[(odds.cumsum(-1) - odds) >= how.top_p] = 0
    return int(tokens[torch.multinomial(odds, 1, generator=chance)])


class TokenText:
    """Text of tokens as it becomes certain: half a character is held back until its other half is there.

    Only the last few tokens are decoded again for each new one, so a long reply costs no more per token.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._from = self._shown = 0

    def add(self, token: int) -> str:
        """Take a token in and return what is new and certain."""
        self._ids.append(token)
        before = self._decode(self._ids[self._from : self._shown])
        after = self._decode(self._ids[self._from :])
        if after.endswith("\ufffd") or len(after) <= len(before):
            return ""
        self._from, self._shown = self._shown, len(self._ids)
        return after[len(before) :]

    def rest(self) -> str:
        """Nothing follows: what was held back, broken or not."""
        before = self._decode(self._ids[self._from : self._shown])
        after = self._decode(self._ids[self._from :])
        self._from = self._shown = len(self._ids)
        return after[len(before) :]

    def _decode(self, ids: list[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text
