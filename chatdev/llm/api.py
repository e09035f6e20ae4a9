"""Any endpoint that speaks OpenAI's chat completions: OpenAI, vLLM, SGLang, Ollama, llama.cpp and others.

There is no list of model names and none of providers: what an endpoint understands is learned from its
answers (see `api_dialect` and `api_window`). Errors that trying again cannot mend are told at once in one
line; the others are retried with the wait shown (see `patience`). The `openai` client is imported when a
model is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from chatdev.errors import UserError
from chatdev.llm.api_dialect import Dialect
from chatdev.llm.api_endpoint import Endpoint, first_listed
from chatdev.llm.api_images import draw
from chatdev.llm.api_stream import ApiStream
from chatdev.llm.api_window import ApiWindow
from chatdev.llm.base import Sampling
from chatdev.llm.patience import Patience
from chatdev.llm.prices import PriceTable
from chatdev.llm.redact import Redactor, shown_url, url_secrets

OPENAI_URL = "https://api.openai.com/v1"
NO_KEY = "none"
"""Sent where there is a base URL and no key; such servers ignore it, and the client insists on one."""


class ApiModel:
    """A model behind an endpoint.

    Args:
        name: the model's name there; empty for the first one that the endpoint lists. base_url: the API's
        address, usually ending in /v1; OpenAI's unless given. api_key: the key; needed unless a base URL is
        given. sampling: temperature, top_p and seed; top_k and repetition_penalty are sent where they are
        set, and no
            longer once the endpoint refuses them.
        prices: the price table; a model that it does not know costs an unknown sum (None), also on a
        machine of
            your own.
        on_wait: told seconds and reason before each pause of a retry.
        on_notice: told remarks such as an unlisted model.
        context: tokens of the window, when the user knows better than the endpoint tells.
        read_timeout: seconds of silence after which a request is given up and sent again.
        patience: the limits of retrying.
        image_model: the model that `image` asks.

    Raises:
        UserError: no key, an unusable address or key, or (with an empty name) no model listed.
    """

    resends = True

    def __init__(
        self,
        name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        sampling: Sampling | None = None,
        prices: PriceTable | None = None,
        on_wait: Callable[[float, str], None] | None = None,
        on_notice: Callable[[str], None] | None = None,
        context: int | None = None,
        read_timeout: float = 120.0,
        patience: Patience | None = None,
        image_model: str = "gpt-image-1",
    ) -> None:
        url = (base_url or OPENAI_URL).strip().rstrip("/")
        key = (api_key or "").strip()
        redact, shown = Redactor(key, *url_secrets(url)), shown_url(url)
        _check(name, url, key, own_server=bool(base_url))
        client = _client(url, key or NO_KEY, read_timeout)
        model = name or first_listed(client, shown, redact)
        prices = prices or PriceTable.load()
        # OpenAI's newer models refuse the old name of the limit, most other servers know only that one.
        length_field = "max_completion_tokens" if url == OPENAI_URL else "max_tokens"
        self.name = f"openai:{model}"
        self.endpoint = Endpoint(
            model=model,
            url=shown,
            client=client,
            redact=redact,
            sampling=sampling or Sampling(),
            patience=patience or Patience(),
            price=prices.of(model),
            on_wait=on_wait,
            on_notice=on_notice,
            dialect=Dialect(length_field),
            window=ApiWindow(context),
        )
        self._image_model = image_model

    def open(self, head: str, *, seed: int = 0) -> ApiStream:
        """Open a stream; a seed other than 0 is sent to the endpoint, which may or may not honour it."""
        return ApiStream(self.endpoint, head, seed)

    def describe(self) -> str:
        """One line for the person: the model and where it is."""
        return self.endpoint.redact(f"{self.name} at {self.endpoint.url}")

    def preflight(self) -> None:
        """Look whether the endpoint is there and takes the key; an endpoint that lists no models is fine.

        Raises:
            UserError: it is not reachable, or refuses the key.
        """
        self.endpoint.preflight()

    def image(self, prompt: str, size: str = "1024x1024") -> bytes:
        """Have a picture made through the endpoint's images API; its price is not known here.

        Args:
            prompt: what to show.
            size: width x height in pixels, one of those that the image model offers.

        Returns:
            A PNG file.

        Raises:
            ImagesUnavailable: the endpoint makes none, for whatever reason.
        """
        return draw(self.endpoint, self._image_model, prompt, size)

    def close(self) -> None:
        """Close the connections."""
        self.endpoint.client.close()


def _check(name: str, url: str, key: str, *, own_server: bool) -> None:
    """Find what would only fail later, and less clearly."""
    if not key and not own_server:
        raise UserError(
            f'no API key for "openai:{name}"',
            fix="Set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own, "
            "or use another model: --model hf:<folder or hub id>, --model scripted:snake",
        )
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise UserError(
            f'"{Redactor(key)(shown_url(url))}" is no address of an API',
            where="OPENAI_BASE_URL",
            fix="Write it like http://localhost:8000/v1",
        )
    if not (key.isascii() and key.isprintable()):
        raise UserError("the key holds characters that no key has", where="OPENAI_API_KEY", fix="Set it anew")


def _client(url: str, key: str, read_timeout: float) -> Any:
    import openai

    timeout = openai.Timeout(read_timeout, connect=min(10.0, read_timeout))
    return openai.OpenAI(api_key=key, base_url=url, max_retries=0, timeout=timeout)
