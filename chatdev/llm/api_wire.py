"""One request to `chat/completions`, as an iterator of what comes back, however it comes back.

Understands event streams and whole JSON replies alike (some servers send one when asked for the other), and
reads only the fields it needs, so that new fields of an endpoint cannot break it. Raises what the client
raises, or `EndpointError`; deciding what to do is not its business.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chatdev.llm.api_errors import EndpointError

LARGEST_BODY = 64_000_000
"""Bytes of a whole reply or a list of models; what is longer is refused unread."""
EXTRA = ("top_k", "repetition_penalty")


@dataclass(frozen=True)
class Chunk:
    """A part of a reply. `finish` and `usage` are None until they are told."""

    text: str = ""
    finish: str | None = None
    usage: dict[str, int] | None = None


def chat(client: Any, request: dict[str, Any]) -> Iterator[Chunk]:
    """Send a request and yield its answer.

    Args:
        client: an `openai.OpenAI`.
        request: the body's fields.
    """
    extra = {name: request[name] for name in EXTRA if name in request}
    fields = {name: value for name, value in request.items() if name not in EXTRA}
    create = client.chat.completions.with_streaming_response.create
    with create(**fields, **({"extra_body": extra} if extra else {})) as response:
        kind = response.headers.get("content-type", "")
        if "html" in kind:
            raise EndpointError(_whole_text(response), kind="fatal")
        if "json" in kind or not fields.get("stream"):
            yield from _whole(_whole_text(response))
        else:
            for event in response.parse():
                yield _chunk(event.model_dump(warnings=False) if hasattr(event, "model_dump") else event)


def _whole_text(response: Any) -> str:
    parts, size = [], 0
    for part in response.iter_bytes():
        size += len(part)
        if size > LARGEST_BODY:
            raise EndpointError("the answer is larger than 64 MB", kind="fatal")
        parts.append(part)
    return b"".join(parts).decode("utf-8", "replace")


def _whole(text: str) -> Iterator[Chunk]:
    try:
        data = json.loads(text)
    except RecursionError:
        raise EndpointError("the answer is nested too deeply", kind="fatal") from None
    if not isinstance(data, dict):
        raise EndpointError("the answer is JSON, but no reply", kind="fatal")
    yield _chunk(data)


def _chunk(data: Any) -> Chunk:
    """Read one chunk of a stream, or a whole reply; both have the same outer shape."""
    if not isinstance(data, dict):
        return Chunk()
    if data.get("error"):
        raise EndpointError(data["error"])
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    part = choice.get("delta") or choice.get("message") or {}
    finish = choice.get("finish_reason")
    return Chunk(
        _text(part.get("content") if isinstance(part, dict) else None),
        finish if isinstance(finish, str) and finish else None,
        _usage(data.get("usage")),
    )


def _text(content: object) -> str:
    """The text of `content`, which is a string or a list of typed parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return ""


def _usage(raw: object) -> dict[str, int] | None:
    if not isinstance(raw, dict):
        return None
    details = raw.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else raw.get("prompt_cache_hit_tokens")
    usage = {
        "prompt": _count(raw.get("prompt_tokens")),
        "completion": _count(raw.get("completion_tokens")),
        "cached": _count(cached),
    }
    return usage if usage["prompt"] or usage["completion"] else None


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**9 else 0
