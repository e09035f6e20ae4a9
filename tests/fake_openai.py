"""A real HTTP server on loopback that speaks the OpenAI wire format, well or badly, as told.

    with FakeOpenAI(reply=lambda messages: "…") as server:
        model = ApiModel("m", server.url, "sk-…")
        server.next(html_502(), silence(2.0))      # the next two chat calls misbehave, then all is well again
        server.at(3, context_exceeded(4096))       # and so does the third one from now on
        …
        server.calls[0].messages, server.prompt_chars, server.prompt_tokens

`reply` is a text, a list of texts (played in order, the last one stays), or a callable from messages to text.
A behaviour is a callable that gets the `Exchange` and answers it; see `fake_behaviours`.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fake_behaviours import Behaviour, asked_tokens, context_exceeded, normal, not_found, wrong_key

Messages = list[dict[str, Any]]
Reply = str | Sequence[str] | Callable[[Messages], str]


@dataclass
class Call:
    """One request to chat/completions."""

    body: dict[str, Any]
    key: str
    """What was sent as bearer token."""

    @property
    def messages(self) -> Messages:
        return self.body["messages"]

    @property
    def prompt_chars(self) -> int:
        return sum(len(message["content"]) for message in self.messages)

    @property
    def prompt_tokens(self) -> int:
        """Counted like the server does in `usage`: four characters a token and four tokens a message."""
        return sum(-(-len(message["content"]) // 4) + 4 for message in self.messages)


@dataclass
class Exchange:
    """One chat call that a behaviour has to answer."""

    server: FakeOpenAI
    handler: BaseHTTPRequestHandler
    call: Call

    def json(self, status: int, data: Any, headers: dict[str, str] | None = None) -> None:
        self.send(status, json.dumps(data).encode(), "application/json", headers)

    def error(self, status: int, message: str, *, headers: dict[str, str] | None = None, **fields: Any) -> None:
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": None, **fields}
        self.json(status, {"error": error}, headers)

    def send(self, status: int, data: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.handler.send_response(status)
        self.handler.send_header("Content-Type", kind)
        self.handler.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.handler.send_header(name, value)
        self.handler.end_headers()
        self.handler.wfile.write(data)

    def text(self) -> str:
        return self.server.text_for(self.call.messages)

    def start_stream(self) -> None:
        self.handler.send_response(200)
        self.handler.send_header("Content-Type", "text/event-stream")
        self.handler.send_header("Transfer-Encoding", "chunked")
        self.handler.end_headers()

    def event(self, data: Any) -> None:
        self.raw(b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n")

    def raw(self, data: bytes) -> None:
        self.handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.handler.wfile.flush()

    def delta(self, text: str | None = None, finish: str | None = None, **fields: Any) -> None:
        delta = {} if text is None else {"content": text}
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        self.event({**self.frame("chat.completion.chunk"), "choices": [choice], **fields})

    def end_stream(self) -> None:
        self.event(b"[DONE]")
        self.handler.wfile.write(b"0\r\n\r\n")

    def frame(self, kind: str) -> dict[str, Any]:
        return {"id": "chatcmpl-1", "object": kind, "created": 0, "model": self.call.body.get("model")}

    def usage(self, text: str) -> dict[str, Any]:
        prompt, completion = self.call.prompt_tokens, -(-len(text) // 4)
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


class _Server(ThreadingHTTPServer):
    """A client that goes away is no news."""

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class FakeOpenAI:
    """The server; a context manager.

    Args:
        reply: what it says.
        key: the only key it accepts; None accepts any.
        models: entries of /models, as names or as whole objects; None answers 404 there.
        context: tokens of prompt and reply together; more is refused as OpenAI refuses it.
        piece: characters of one streamed piece.
    """

    def __init__(
        self,
        reply: Reply = "Hello from the fake endpoint.",
        *,
        key: str | None = None,
        models: Sequence[str | dict[str, Any]] | None = ("fake-model",),
        context: int | None = None,
        piece: int = 7,
    ) -> None:
        self.reply, self.key, self.models, self.context, self.piece = reply, key, models, context, piece
        self.calls: list[Call] = []
        self.model_lists = 0
        self.image_calls: list[dict[str, Any]] = []
        self.usual: Behaviour = normal()
        self.images: Behaviour | None = None
        self._queue: list[Behaviour] = []
        self._at: dict[int, Behaviour] = {}
        self._said = 0
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    @property
    def prompt_chars(self) -> int:
        """Characters of all prompts received."""
        return sum(call.prompt_chars for call in self.calls)

    @property
    def prompt_tokens(self) -> int:
        """Tokens of all prompts received."""
        return sum(call.prompt_tokens for call in self.calls)

    def next(self, *behaviours: Behaviour) -> None:
        """The next chat calls are answered by these, one each."""
        self._queue.extend(behaviours)

    def at(self, number: int, behaviour: Behaviour) -> None:
        """The chat call of this number (the very first is 1) is answered by this."""
        self._at[number] = behaviour

    def text_for(self, messages: Messages) -> str:
        if callable(self.reply):
            return self.reply(messages)
        if isinstance(self.reply, str):
            return self.reply
        with self._lock:
            text = self.reply[min(self._said, len(self.reply) - 1)]
            self._said += 1
        return text

    def __enter__(self) -> FakeOpenAI:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server._get(self)

            def do_POST(self) -> None:
                server._post(self)

            def log_message(self, *args: object) -> None:
                pass

        return Handler

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        exchange = Exchange(self, handler, Call({}, _bearer(handler)))
        self.model_lists += 1
        if self.key is not None and exchange.call.key != self.key:
            wrong_key()(exchange)
        elif handler.path != "/v1/models" or self.models is None:
            exchange.error(404, "Not found")
        else:
            entries = [{"id": m, "object": "model"} if isinstance(m, str) else m for m in self.models]
            exchange.json(200, {"object": "list", "data": entries})

    def _post(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        exchange = Exchange(self, handler, Call(body, _bearer(handler)))
        if handler.path == "/v1/images/generations":
            self.image_calls.append(body)
            (self.images or not_found())(exchange)
            return
        if handler.path != "/v1/chat/completions":
            exchange.error(404, f"Invalid URL (POST {handler.path})")
            return
        with self._lock:
            self.calls.append(exchange.call)
            behaviour = self._at.pop(len(self.calls), None)
            if behaviour is None and self._queue:
                behaviour = self._queue.pop(0)
        if behaviour is None and self.key is not None and exchange.call.key != self.key:
            behaviour = wrong_key()
        if behaviour is None and self.context is not None and asked_tokens(exchange.call) > self.context:
            behaviour = context_exceeded(self.context)
        (behaviour or self.usual)(exchange)


def _bearer(handler: BaseHTTPRequestHandler) -> str:
    return handler.headers.get("Authorization", "").removeprefix("Bearer ")


@dataclass
class Waits:
    """Collects what `on_wait` is told."""

    seen: list[tuple[float, str]] = field(default_factory=list)

    def __call__(self, seconds: float, reason: str) -> None:
        self.seen.append((seconds, reason))
