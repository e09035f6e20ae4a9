"""How many tokens a text is, when nobody who knows can be asked.

Four characters a token is the usual rule of thumb for English and code. Every count made here is marked
`estimated` where it reaches a ledger. Non-goal: a tokenizer.
"""

from __future__ import annotations

CHARS_PER_TOKEN = 4.0


def estimate_tokens(text: str, chars_per_token: float = CHARS_PER_TOKEN) -> int:
    """Tokens of a text, rounded up; 0 only for the empty text."""
    return -int(-len(text) // chars_per_token)


def clean(text: str) -> str:
    """The same text, fit for UTF-8: surrogate pairs are joined, halves without a partner become U+FFFD."""
    if not any("\ud800" <= char <= "\udfff" for char in text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
