"""What went wrong at an endpoint, in one word and one line.

Endpoints agree on little: the same mistake comes as 400, 413, 422, 429 or 500, as JSON, HTML, plain text or
as an event in the middle of a stream. `diagnose` reads all of that and decides what can be done about it.
It never imports the client library, so that exceptions of any of its versions are understood by their
shape.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from html import unescape
from typing import Any, Literal

Kind = Literal["retry", "context", "parameter", "fatal"]
TRANSPORTS = ("httpx", "httpx2", "httpcore", "httpcore2", "ssl", "socket", "h11")


class EndpointError(Exception):
    """An error reported with a friendly status: inside a stream, or as JSON or HTML with 200."""

    def __init__(self, body: object, *, kind: Kind | None = None) -> None:
        super().__init__("the endpoint reported an error")
        self.body = body
        self.kind = kind


@dataclass(frozen=True)
class Problem:
    """One failed request."""

    kind: Kind
    """`retry` may go away by itself; `context` was too long; `parameter` was not understood; else `fatal`."""
    cause: str
    """One short line for a person; not yet redacted."""
    status: int | None = None
    retry_after: float | None = None
    """Seconds that the endpoint asks to wait."""
    parameter: str | None = None
    """The request's field that was refused; `system` for the system role."""
    limit: int | None = None
    """Tokens: the context's size (kind `context`), or the longest reply (kind `parameter`)."""
    used: int | None = None
    """Tokens of the prompt, when the endpoint told."""
    no_credit: bool = False
    timed_out: bool = False
    fix: str = ""
    """What to do about it, where the kind and the status do not say."""


def diagnose(error: BaseException, sent: Collection[str] = ()) -> Problem | None:
    """Tell what happened; None for an exception that is no matter of the endpoint.

    Args:
        error: what the client raised.
        sent: optional fields of the request, which could be left out or renamed.
    """
    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and response is not None:
        return _of_answer(status, _body_of(response), response.headers, sent)
    if isinstance(error, EndpointError):
        if error.kind is not None:
            return Problem(error.kind, short(error.body))
        return _reported(error.body, sent)
    if _is_client_error(error):
        if getattr(error, "body", None) is not None:
            return _reported(error.body, sent)  # type: ignore[attr-defined]
        return _of_transport(error)
    if type(error).__module__.split(".")[0] in TRANSPORTS or isinstance(error, (TimeoutError, ConnectionError)):
        return _of_transport(error)
    if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):
        return Problem("retry", "the answer was garbled")
    return None


def _is_client_error(error: BaseException) -> bool:
    return any(cls.__module__.startswith("openai") and cls.__name__ == "APIError" for cls in type(error).__mro__)


def _of_answer(status: int, body: object, headers: Any, sent: Collection[str]) -> Problem:
    cause, code = short(body), code_of(body)
    retry_after = _retry_after(headers)
    if (context := _context(cause, code, status, body)) is not None:
        return context
    if status in (400, 422) and (refused := _refused(cause, body, sent)) is not None:
        return refused
    if status == 402 or _no_credit(cause, code):
        return Problem("fatal", cause, status, no_credit=True)
    if status in (408, 409, 425, 429) or (status >= 500 and status != 501):
        kind: Kind = "fatal" if headers.get("x-should-retry") == "false" else "retry"
        return Problem(kind, cause, status, retry_after)
    return Problem("fatal", cause, status)


def _reported(body: object, sent: Collection[str]) -> Problem:
    """An error without a status line of its own; its code may be one, and if not, trying again may help."""
    code = code_of(body)
    status = int(code) if re.fullmatch(r"[45]\d\d", code) else 500
    problem = _of_answer(status, body, {}, sent)
    return problem if status != 500 or problem.kind != "retry" else Problem("retry", problem.cause)


def _of_transport(error: BaseException) -> Problem:
    """No answer, or not the whole of it."""
    name, text = type(error).__name__, ""
    seen: BaseException | None = error
    while seen is not None:
        text, seen = str(seen) or text, seen.__cause__ or seen.__context__
    if "Timeout" in name or "timed out" in text.lower():
        where = "while connecting" if "Connect" in name else "no answer within the time limit"
        return Problem("retry", f"timed out, {where}", timed_out=True)
    text = re.sub(r"\[(Errno|SSL)[^\]]*\] ?", "", text) or name
    hopeless = "certificate" in text.lower() or "unsupported protocol" in text.lower() or "Invalid" in name
    return Problem("fatal" if hopeless else "retry", short(text))


def _body_of(response: Any) -> object:
    try:
        text = response.text
    except Exception as error:  # noqa: BLE001  (an error page that cannot be read is still an error page)
        return f"(unreadable: {type(error).__name__})"
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def message_of(body: object) -> str:
    """The message in an error body of any of the usual shapes."""
    if isinstance(body, list):
        return "; ".join(message_of(item) for item in body[:3])
    if isinstance(body, dict):
        for key in ("error", "message", "detail", "msg", "error_message"):
            if body.get(key):
                return message_of(body[key])
        return json.dumps(body)
    return "" if body is None else str(body)


def short(body: object, longest: int = 2000) -> str:
    """One line: markup reduced to its title, whitespace joined, cut to a length far beyond what is shown."""
    text = message_of(body)
    if re.search(r"<(?:!doctype|html|head|body|title)\b", text[:4000], re.IGNORECASE):
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        text = f"a web page instead of an answer ({unescape(title[1]).strip()[:80]})" if title else "a web page"
    text = " ".join("".join(char if char.isprintable() else " " for char in text[:4000]).split())
    return (text if len(text) <= longest else f"{text[: longest - 1]}…") or "no reason given"


def code_of(body: object) -> str:
    """`code` and `type` of an error body as text."""
    inner = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(inner, dict):
        return ""
    return str(inner.get("code") or inner.get("type") or "")


def _no_credit(cause: str, code: str) -> bool:
    pattern = r"insufficient[_ ](?:quota|balance|credits?)|exceeded your current quota|billing (?:hard )?limit"
    return bool(re.search(pattern, f"{code} {cause}", re.IGNORECASE))


def _retry_after(headers: Any) -> float | None:
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, TypeError, ValueError):
            continue
    value = headers.get("retry-after")
    if not value:
        return None
    from email.utils import mktime_tz, parsedate_tz
    from time import time

    date = parsedate_tz(value)
    return max(0.0, mktime_tz(date) - time()) if date else None


_TOO_LONG = re.compile(
    r"maximum context|context[ _-]?length|context[ _]window|context size|prompt is too long"
    r"|input is too long|input token count|longer than the (?:model|maximum)|request too large"
    r"|reduce (?:the length|your prompt)|exceed_context|tokens?`? must be <=|too many (?:input )?tokens"
    r"|too large for model",
    re.IGNORECASE,
)
_REPLY_TOO_LONG = re.compile(
    r"max(?:_completion|_output)?_tokens\W{0,3}.{0,30}?(?:must be|too large|valid range|at most|> ?\d)",
    re.IGNORECASE,
)
_LIMITS = [
    r"(\d+) maximum context",
    r"context(?: length| window| size)\D{0,30}?(\d+)",
    r"tokens allowed \((\d+)",
    r"> (\d+) maximum",
    r"must be <= (\d+)",
    r"Limit:? (\d+), Requested",
]
_USED = [
    r"(\d+) (?:tokens )?(?:in|from) the (?:input )?messages",
    r"(?:messages|prompt) resulted in (\d+) tokens",
    r"(\d+) input tokens",
    r"prompt is too long: (\d+)",
    r"input token count \((\d+)",
    r"(?:input|request) \((\d+) tokens\)",
    r"Prompt contains (\d+) tokens",
]
_REPLY_LIMITS = [
    r"at most (\d+)",
    r"less than or equal to `?(\d+)",
    r"\[1, ?(\d+)\]",
    r"> (\d+)",
    r"<= ?(\d+)",
]


def _context(cause: str, code: str, status: int, body: object) -> Problem | None:
    """The prompt, or prompt and reply together, were too long."""
    reply = _REPLY_TOO_LONG.search(cause) and "context length" not in cause
    told = code in ("context_length_exceeded", "exceed_context_size_error", "string_above_max_length")
    if status in (401, 403, 404) or reply or not (told or status == 413 or _TOO_LONG.search(cause)):
        return None
    inner = body.get("error", body) if isinstance(body, dict) else {}
    fields = inner if isinstance(inner, dict) else {}
    limit = _first(_LIMITS, cause) or _whole(fields.get("n_ctx"))
    used = _first(_USED, cause) or _whole(fields.get("n_prompt_tokens"))
    return Problem("context", cause, status, limit=limit, used=used)


def _refused(cause: str, body: object, sent: Collection[str]) -> Problem | None:
    """A field of the request that this endpoint does not know or not like."""
    if "max_tokens" in cause or "max_completion_tokens" in cause:
        name = next((n for n in ("max_completion_tokens", "max_tokens") if n in sent), None)
        if name and _REPLY_TOO_LONG.search(cause) and (limit := _first(_REPLY_LIMITS, cause)):
            return Problem("parameter", cause, 400, parameter=name, limit=limit)
    if re.search(
        r"system\W{0,2} ?(?:role|message|prompt)?.{0,20}not (?:be )?support|not support \W?system",
        cause,
        re.I,
    ):
        return Problem("parameter", cause, 400, parameter="system")
    inner = body.get("error", body) if isinstance(body, dict) else {}
    named = inner.get("param") if isinstance(inner, dict) else None
    text = f"{cause} {json.dumps(body)[:4000]}" if isinstance(body, dict) else cause
    for name in sorted(sent, key=len, reverse=True):
        # A bare word such as "stop" says nothing; in quotes or after "argument" it is a field's name.
        plain = rf"\b{name}\b" if "_" in name or name == "temperature" else rf"['\"`]{name}['\"`]"
        named_so = rf"(?:argument|parameter|field|property)\W[^.]{{0,40}}\b{name}\b"
        if named == name or re.search(f"{plain}|{named_so}", text):
            return Problem("parameter", cause, 400, parameter=name)
    return None


def _first(patterns: list[str], text: str) -> int | None:
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    for pattern in patterns:
        if match := re.search(pattern, text, re.IGNORECASE):
            return _whole(int(match[1]))
    return None


def _whole(value: object) -> int | None:
    """A count that can be believed."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 64 <= value < 10**9 else None
