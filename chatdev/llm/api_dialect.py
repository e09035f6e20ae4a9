"""The fields of a request that one endpoint understands, learned from what it refuses.

No table of providers and no list of model names: the usual request is sent, and what comes back as not
supported is renamed or left out from then on. Every lesson changes something for good, so learning ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chatdev.llm.api_errors import Problem
from chatdev.llm.base import Sampling, SayLimits

LENGTH_FIELDS = ("max_tokens", "max_completion_tokens")
MOST_STOPS = 4


@dataclass
class Dialect:
    """What has been learned of an endpoint and model; shared by all its streams."""

    length_field: str | None = "max_tokens"
    """The name of the reply limit; None when the endpoint takes none (the limit is then kept on our side)."""
    refused: set[str] = field(default_factory=set)
    """Fields that are no longer sent."""
    longest_reply: int | None = None
    """Tokens; the endpoint's own cap for one reply."""
    finish_unsaid: bool = False
    """The endpoint ends its streams without a finish reason."""

    @property
    def streams(self) -> bool:
        """Whether replies are asked for piece by piece."""
        return "stream" not in self.refused

    @property
    def system_role(self) -> bool:
        """Whether the head is sent as a system message; else in front of the first user message."""
        return "system" not in self.refused

    def optional(self, sampling: Sampling, seed: int, limits: SayLimits, tokens: int) -> dict[str, Any]:
        """The fields beside model and messages. `tokens` is the room that the window leaves for the reply."""
        fields: dict[str, Any] = {"temperature": sampling.temperature, "stream": True}
        fields["stream_options"] = {"include_usage": True}
        if sampling.top_p != 1.0:
            fields["top_p"] = sampling.top_p
        if seed:
            fields["seed"] = seed
        if 0 < len(limits.stop) <= MOST_STOPS:
            fields["stop"] = list(limits.stop)
        # These two are no fields of OpenAI's; vLLM, SGLang, Ollama and llama.cpp know one or both.
        if sampling.top_k:
            fields["top_k"] = sampling.top_k
        if sampling.repetition_penalty != 1.0:
            fields["repetition_penalty"] = sampling.repetition_penalty
        if self.length_field:
            fields[self.length_field] = min(tokens, self.longest_reply or tokens)
        if not self.streams:
            fields.pop("stream_options")
        return {name: value for name, value in fields.items() if name not in self.refused}

    def learn(self, problem: Problem, sent: dict[str, Any]) -> bool:
        """Take a lesson from a refused request; False when there is nothing to change."""
        name = problem.parameter
        if problem.kind != "parameter" or name is None:
            return False
        if name in LENGTH_FIELDS:
            return self._learn_length(name, problem.limit, sent)
        if name in self.refused:
            # Another stream of the model may have learned it in the meantime.
            return name in sent
        self.refused.add(name)
        return True

    def _learn_length(self, name: str, limit: int | None, sent: dict[str, Any]) -> bool:
        if limit is not None and limit < sent.get(name, 0):
            self.longest_reply = limit
            return True
        self.refused.add(name)
        self.length_field = next((field for field in LENGTH_FIELDS if field not in self.refused), None)
        return name in sent
