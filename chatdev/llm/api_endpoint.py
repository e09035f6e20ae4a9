"""One model behind one endpoint: the client with the key, and all that was learned of it.

Shared by the streams of an `ApiModel`. The key lives in the client and nowhere else; every text that leaves
here is redacted. What is learned: the request fields it understands, its window, its longest reply.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from chatdev.errors import UserError
from chatdev.llm.api_dialect import Dialect
from chatdev.llm.api_errors import EndpointError, Problem, diagnose
from chatdev.llm.api_window import ApiWindow
from chatdev.llm.api_wire import Chunk, chat
from chatdev.llm.base import Sampling, Usage
from chatdev.llm.patience import Patience
from chatdev.llm.prices import Price
from chatdev.llm.redact import Redactor

RESUME = "What was said so far is saved: resume the run when the endpoint answers again"
CONTEXT_FIELDS = (
    "context_length",
    "max_model_len",
    "context_window",
    "max_context_length",
    "loaded_context_length",
    "n_ctx",
)
"""Where lists of models tell it: OpenRouter, Together; vLLM, SGLang; Groq; Mistral; LM Studio; llama.cpp."""


@dataclass
class Endpoint:
    """A model at a URL."""

    model: str
    url: str
    """As it may be shown; the client knows the whole of it."""
    client: Any
    """An `openai.OpenAI` with its own retries switched off."""
    redact: Redactor
    sampling: Sampling
    patience: Patience
    price: Price | None = None
    on_wait: Callable[[float, str], None] | None = None
    on_notice: Callable[[str], None] | None = None
    dialect: Dialect = field(default_factory=Dialect)
    window: ApiWindow = field(default_factory=ApiWindow)
    _asked: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def chat(self, request: dict[str, Any]) -> Iterator[Chunk]:
        """Send one request; raises what `diagnose` understands."""
        return chat(self.client, {"model": self.model, **request})

    def waiting(self, seconds: float, reason: str) -> None:
        """Pass a pause on to whoever shows it, without secrets."""
        if self.on_wait is not None:
            self.on_wait(seconds, self.redact.line(reason))

    def notice(self, text: str) -> None:
        """Pass a remark on to whoever shows it, without secrets."""
        if self.on_notice is not None:
            self.on_notice(self.redact(text))

    def usage(self, prompt: int, completion: int, cached: int, *, estimated: bool, seconds: float) -> Usage:
        """Counts with their price."""
        money = None if self.price is None else self.price.cost(prompt, cached, completion)
        return Usage(prompt, completion, cached, estimated, money, seconds)

    def failure(self, problem: Problem, *, given_up: bool = False) -> UserError:
        """The one line that a person gets to see. `given_up`: it had been tried again and again."""
        status = f"{problem.status} " if problem.status else ""
        what = f'model "{self.model}": {status}{problem.cause.rstrip(". ")}'
        return UserError(self.redact.line(what), where=self.redact(self.url), fix=self._fix(problem, given_up))

    def _fix(self, problem: Problem, given_up: bool) -> str:
        if problem.fix:
            return problem.fix
        if problem.no_credit:
            return "Add credit there or choose another model with --model; the run can be resumed"
        if given_up or problem.kind == "retry":
            slow = "A slow model needs a larger CHATDEV_API_TIMEOUT (seconds). " if problem.timed_out else ""
            return slow + RESUME
        if problem.status == 401:
            return "Set OPENAI_API_KEY to a key that this endpoint knows"
        if problem.status == 403:
            return "The key is known, but may not do this: check its rights there, or use another model"
        if problem.status == 404:
            return self._near() or (
                "Check the model's name (--model openai:<name>) and OPENAI_BASE_URL (it usually ends in /v1)"
            )
        if problem.kind == "context":
            return "Use a model with a larger window, or shorten the role and the task"
        if problem.status is None:
            return "Check OPENAI_BASE_URL (it usually ends in /v1)"
        return "Change what it names, or use another model with --model"

    def _near(self) -> str:
        """After a 404: which models there are."""
        try:
            names = [name for name, _ in self.list_models()]
        except Exception as error:
            if diagnose(error) is None:
                raise
            return ""
        if not names or self.model in names:
            return ""
        near = difflib.get_close_matches(self.model, names, n=1)
        if near:
            return self.redact(f'Did you mean "openai:{near[0]}"?')
        return self.redact(f"It has: {', '.join(names[:8])}{' …' if len(names) > 8 else ''}")

    def list_models(self, timeout: float = 5.0) -> list[tuple[str, dict[str, Any]]]:
        """Names and fields of what `GET /models` lists; raises what `diagnose` understands."""
        page = self.client.with_options(timeout=timeout).models.list()
        listed = []
        for entry in getattr(page, "data", None) or []:
            data = entry.model_dump(warnings=False) if hasattr(entry, "model_dump") else {}
            if isinstance(data.get("id"), str):
                listed.append((data["id"], data))
        return listed

    def ask_window(self) -> None:
        """Once per model: see whether the endpoint tells its window. Silence and errors tell nothing."""
        with self._lock:
            if self._asked:
                return
            self._asked = True
        if self.window.context is not None:
            return
        try:
            entries = dict(self.list_models())
        except Exception as error:
            if diagnose(error) is None:
                raise
            return
        self.take_window(entries.get(self.model, {}))

    def take_window(self, entry: dict[str, Any]) -> None:
        """Read the window from an entry of the list of models, if it is there."""
        self._asked = True
        for source in (entry, entry.get("meta"), entry.get("top_provider")):
            if isinstance(source, dict) and self.window.context is None:
                sizes = [source.get(name) for name in CONTEXT_FIELDS]
                known = [size for size in sizes if isinstance(size, int) and 64 <= size < 10**9]
                self.window.context = min(known, default=None)

    def preflight(self) -> None:
        """Look whether the endpoint is there and takes the key; spends nothing.

        Raises:
            UserError: it is not, or does not.
        """
        try:
            listed = self.list_models()
        except Exception as error:
            problem = diagnose(error)
            if problem is None:
                raise
        else:
            names = [name for name, _ in listed]
            if names and self.model not in names:
                hint = difflib.get_close_matches(self.model, names, n=1)
                self.notice(
                    f'{self.url} does not list a model "{self.model}"'
                    + (f' (did you mean "{hint[0]}"?)' if hint else "")
                )
            self.take_window(dict(listed).get(self.model, {}))
            return
        if problem.status in (401, 403) or problem.status is None:
            raise self.failure(problem)


def first_listed(client: Any, url: str, redact: Redactor) -> str:
    """The first model that an endpoint lists.

    Raises:
        UserError: it lists none, or cannot be asked.
    """
    probe = Endpoint("", url, client, redact, Sampling(), Patience())
    try:
        names = [name for name, _ in probe.list_models()]
    except Exception as error:
        problem = diagnose(error)
        if problem is None:
            raise
    else:
        if names:
            return names[0]
        problem = Problem("fatal", "the endpoint lists no models")
    what = f"no list of models: {problem.cause}"
    raise UserError(redact.line(what), where=redact(url), fix="Name one with OPENAI_MODEL or --model openai:<name>")


__all__ = ["Endpoint", "EndpointError", "first_listed"]
