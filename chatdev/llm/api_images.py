"""Pictures through an endpoint's images API: PNG bytes, or a plain "there are none"."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from chatdev.llm.api_endpoint import Endpoint
from chatdev.llm.api_errors import Problem, diagnose
from chatdev.llm.base import ImagesUnavailable
from chatdev.llm.patience import Tries

PNG = b"\x89PNG\r\n\x1a\n"
LARGEST = 32_000_000
"""Bytes of one picture."""


def draw(endpoint: Endpoint, model: str, prompt: str, size: str) -> bytes:
    """Ask for one picture; only data inside the answer is taken, never an address to fetch it from.

    Raises:
        ImagesUnavailable: for whatever reason there is no PNG.
    """
    tries = Tries(endpoint.patience, endpoint.waiting)
    # The older models answer with an address unless asked for data; the newer ones refuse to be asked.
    fields: dict[str, Any] = {"model": model, "prompt": prompt, "size": size, "n": 1}
    fields["response_format"] = "b64_json"
    while True:
        try:
            answer = endpoint.client.images.generate(**fields)
        except Exception as error:
            problem = diagnose(error, ["response_format"])
            if problem is None:
                raise
        else:
            return _png(answer)
        if problem.parameter == "response_format" and fields.pop("response_format", None):
            continue
        if problem.kind != "retry" or not tries.again(problem.cause, retry_after=problem.retry_after):
            raise ImagesUnavailable(_line(endpoint, problem))


def _line(endpoint: Endpoint, problem: Problem) -> str:
    status = f"{problem.status} " if problem.status else ""
    return endpoint.redact.line(f"{endpoint.url} makes no pictures: {status}{problem.cause}")


def _png(answer: Any) -> bytes:
    data = getattr(answer, "data", None)
    encoded = getattr(data[0], "b64_json", None) if isinstance(data, list) and data else None
    if not isinstance(encoded, str) or len(encoded) > LARGEST * 4 // 3:
        raise ImagesUnavailable("the endpoint's answer holds no picture")
    try:
        picture = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ImagesUnavailable("the endpoint's picture is garbled") from None
    if not picture.startswith(PNG):
        raise ImagesUnavailable("the endpoint's picture is no PNG")
    return picture
