"""How the fake endpoint behaves, well and badly: one small function for each way seen in the wild."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.fake_openai import Call, Exchange

Behaviour = Callable[["Exchange"], None]


def asked_tokens(call: Call) -> int:
    reply = call.body.get("max_tokens") or call.body.get("max_completion_tokens") or 0
    return call.prompt_tokens + reply


def normal(*, usage: bool = True, finish: str | None = "stop", text: str | None = None) -> Behaviour:
    """A good reply, streamed or whole as asked; `finish=None` never tells why it ended."""

    def behave(exchange: Exchange) -> None:
        said = exchange.text() if text is None else text
        if not exchange.call.body.get("stream"):
            whole(usage=usage, finish=finish, text=said)(exchange)
            return
        exchange.start_stream()
        size = exchange.server.piece
        for at in range(0, len(said), size):
            exchange.delta(said[at : at + size])
        if finish is not None:
            exchange.delta(finish=finish)
        if usage and (exchange.call.body.get("stream_options") or {}).get("include_usage"):
            exchange.event({**exchange.frame("chat.completion.chunk"), "choices": [], "usage": exchange.usage(said)})
        exchange.end_stream()

    return behave


def whole(*, usage: bool = True, finish: str | None = "stop", text: str | None = None) -> Behaviour:
    """A whole JSON reply, even when a stream was asked for."""

    def behave(exchange: Exchange) -> None:
        said = exchange.text() if text is None else text
        message = {"role": "assistant", "content": said, "refusal": None, "audio": {"new": "field"}}
        choices = [{"index": 0, "message": message, "finish_reason": finish}]
        data = {**exchange.frame("chat.completion"), "choices": choices}
        exchange.json(200, {**data, "usage": exchange.usage(said)} if usage else data)

    return behave


def cut_stream(after: int = 10, *, politely: bool = False, text: str | None = None) -> Behaviour:
    """The answer ends after so many characters: torn, or (politely) whole HTTP without [DONE]."""

    def behave(exchange: Exchange) -> None:
        said = (exchange.text() if text is None else text)[:after]
        exchange.start_stream()
        for at in range(0, len(said), exchange.server.piece):
            exchange.delta(said[at : at + exchange.server.piece])
        if politely:
            exchange.handler.wfile.write(b"0\r\n\r\n")
            return
        # The end of the chunked body is missing: a client can tell this from a complete answer.
        exchange.handler.close_connection = True

    return behave


def failing(status: int, message: str = "something failed", **fields: Any) -> Behaviour:
    """Any error in OpenAI's shape; `headers=` adds headers."""
    return lambda exchange: exchange.error(status, message, **fields)


def html_502() -> Behaviour:
    """A proxy's error page."""
    page = b"<html><head><title>502 Bad Gateway</title></head><body><h1>nginx says no</h1></body></html>"
    return lambda exchange: exchange.send(502, page, "text/html")


def html_200() -> Behaviour:
    """A web page where an answer should be."""
    page = b"<!doctype html><html><head><title>Welcome</title></head><body>Log in</body></html>"
    return lambda exchange: exchange.send(200, page, "text/html; charset=utf-8")


def busy(retry_after: float | str | None = None) -> Behaviour:
    """429, with Retry-After if given."""
    headers = None if retry_after is None else {"Retry-After": str(retry_after)}
    return failing(429, "Rate limit reached for requests", headers=headers, code="rate_limit_exceeded")


def no_quota() -> Behaviour:
    """429 that waiting does not mend."""
    return failing(429, "You exceeded your current quota, please check your plan", code="insufficient_quota")


def wrong_key() -> Behaviour:
    """401 that echoes the key."""
    return lambda exchange: exchange.error(
        401, f"Incorrect API key provided: {exchange.call.key}.", code="invalid_api_key"
    )


def not_found(model: str = "fake-model") -> Behaviour:
    """404 for an unknown model."""
    return failing(404, f"The model `{model}` does not exist", code="model_not_found")


def context_exceeded(limit: int | None, *, message: str | None = None, status: int = 400) -> Behaviour:
    """The prompt is too long; `limit=None` does not say by how much."""

    def behave(exchange: Exchange) -> None:
        told = (
            f"This model's maximum context length is {limit} tokens. However, you requested "
            f"{asked_tokens(exchange.call)} tokens ({exchange.call.prompt_tokens} in the messages, "
            f"{asked_tokens(exchange.call) - exchange.call.prompt_tokens} in the completion)."
        )
        text = message or (told if limit else "Please reduce the length of the messages.")
        exchange.error(status, text, code="context_length_exceeded" if message is None else None)

    return behave


def refuses(name: str, message: str) -> Behaviour:
    """400 as long as the request has a field of this name, else a good reply."""
    return lambda exchange: (
        exchange.error(400, message, param=name) if name in exchange.call.body else normal()(exchange)
    )


def silence(seconds: float) -> Behaviour:
    """Nothing at all for a while, then the connection ends."""

    def behave(exchange: Exchange) -> None:
        exchange.server.stopping.wait(seconds)
        exchange.handler.close_connection = True

    return behave


def no_choices() -> Behaviour:
    """A stream whose chunks have no choices."""

    def behave(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.event({**exchange.frame("chat.completion.chunk"), "choices": []})
        exchange.end_stream()

    return behave


def error_in_stream(message: str, **fields: Any) -> Behaviour:
    """200 and an event stream, in which an error comes."""

    def behave(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.delta(exchange.text()[:5])
        exchange.event({"error": {"message": message, **fields}})
        exchange.end_stream()

    return behave


def picture(data: bytes | None = None) -> Behaviour:
    """An answer of the images API with a PNG (a small one unless given)."""

    def behave(exchange: Exchange) -> None:
        encoded = base64.b64encode(data if data is not None else small_png()).decode()
        exchange.json(200, {"created": 0, "data": [{"b64_json": encoded}]})

    return behave


def small_png() -> bytes:
    """A real PNG of 2 x 2 pixels."""
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (2, 2), (200, 30, 30)).save(out, "PNG")
    return out.getvalue()
