"""From tokens to text: a local engine's tokens, without half characters."""

from __future__ import annotations

from typing import Any


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
