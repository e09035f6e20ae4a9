"""How much an endpoint can read: asked of it, told by the user, or learned from its errors.

Tokens are estimated from characters, and the ratio is corrected by the `usage` that the endpoint reports.
"""

from __future__ import annotations

from dataclasses import dataclass

from chatdev.llm.api_errors import Problem
from chatdev.llm.tokens import CHARS_PER_TOKEN, estimate_tokens
from chatdev.llm.trimming import OVERHEAD, SMALLEST


@dataclass
class ApiWindow:
    """What is known about the context of a model behind an endpoint; shared by all its streams."""

    context: int | None = None
    """Tokens of prompt and reply together; None when nobody said."""
    prompt_cap: int | None = None
    """Tokens of prompt that were found to be the most by trying."""
    chars_per_token: float = CHARS_PER_TOKEN

    def count(self, text: str) -> int:
        """Tokens of a text, as well as is known by now."""
        return estimate_tokens(text, self.chars_per_token)

    def budget(self, reply_tokens: int) -> int | None:
        """Tokens that a prompt may have when the reply gets its room (at most half of the context)."""
        known = []
        if self.context is not None:
            known.append(self.context - min(reply_tokens, self.context // 2) - self._margin)
        if self.prompt_cap is not None:
            known.append(self.prompt_cap)
        return min(known, default=None)

    def reply_room(self, prompt_tokens: int, wanted: int) -> int:
        """Tokens that may be asked for as a reply."""
        if self.context is None:
            return wanted
        return max(16, min(wanted, self.context - prompt_tokens - self._margin))

    @property
    def _margin(self) -> int:
        return 8 + (self.context or 0) // 50

    def observe(self, characters: int, messages: int, tokens: int) -> None:
        """Correct the ratio by a count that the endpoint reported; short prompts say too little."""
        text_tokens = tokens - OVERHEAD * messages
        if characters >= 200 and text_tokens > 0:
            seen = min(max(characters / text_tokens, 0.5), 8.0)
            self.chars_per_token = (self.chars_per_token + seen) / 2

    def shrink(self, problem: Problem, characters: int, messages: int) -> bool:
        """After a "too long": take over what the error tells, and make sure that less is sent next time.

        Returns:
            False when there is nothing left to shrink.
        """
        known = self.context
        if problem.limit is not None:
            self.context = min(problem.limit, known or problem.limit)
        if problem.used is not None and problem.used > OVERHEAD * messages:
            self.chars_per_token = max(0.5, characters / (problem.used - OVERHEAD * messages))
        if self.context != known:
            return True
        sent = int(characters / self.chars_per_token) + OVERHEAD * messages
        half = max(sent // 2, 2 * SMALLEST)
        self.prompt_cap = min(self.prompt_cap or half, half)
        return sent > 2 * SMALLEST
