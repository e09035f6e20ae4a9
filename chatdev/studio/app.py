"""The studio's routes: the page's own files, and the data behind `/api/`.

Handlers are plain functions (starlette runs them in threads); each one reads a request, asks one other file of this
room, and answers JSON. A `UserError` becomes a line that the page shows.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from chatdev.errors import UserError, UserErrors
from chatdev.run.inbox import Inbox
from chatdev.run.lock import holder
from chatdev.studio import letters, lookup, paging, product_files
from chatdev.studio.catalogue import Catalogue, Run
from chatdev.studio.evidence import read_evidence
from chatdev.studio.follow import follow
from chatdev.studio.guard import Guard
from chatdev.studio.launch import Launcher
from chatdev.studio.paint import read_patch
from chatdev.studio.plain_json import encode
from chatdev.studio.workshop import Workshop

STATIC = Path(__file__).with_name("static")
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
MOST_FOLLOWERS = 100
"""Event streams at once; one is a browser tab that looks at a run."""

Body = dict[str, Any]


def make_app(warehouse: Path, token: str, port: int) -> ASGIApp:
    """The studio as an ASGI application behind its guard."""
    return Guard(Studio(warehouse).app(), token, port)


class Studio:
    """What the handlers share."""

    def __init__(self, warehouse: Path) -> None:
        self.catalogue = Catalogue(warehouse)
        self.launcher = Launcher(warehouse)
        self.workshop = Workshop(Path.cwd())
        self._followers = 0
        # Read once: what is not among these names cannot be asked for.
        self._files = {path.relative_to(STATIC).as_posix(): path.read_bytes() for path in _files(STATIC)}

    def app(self) -> Starlette:
        """All routes."""
        product = "/api/products/{name}"
        return Starlette(
            routes=[
                Route("/api/products", _read(self._products)),
                Route("/api/products", _write(self._start), methods=["POST"]),
                Route("/api/parting/{a}/{b}", _read(self._parting)),
                Route("/api/companies", _read(self._companies)),
                Route("/api/companies/{id}", _read(self._company)),
                Route("/api/companies/{id}/{action}", _write(self._edit), methods=["POST"]),
                Route(product, _read(self._state)),
                Route(f"{product}/items", _read(self._items)),
                Route(f"{product}/moments", _read(lambda request: paging.moments(self._run(request)))),
                Route(f"{product}/steps", _read(lambda request: lookup.steps(self._run(request)))),
                Route(f"{product}/blame", _read(self._blame)),
                Route(f"{product}/export", self._export),
                Route(f"{product}/asked", _read(self._asked)),
                Route(f"{product}/events", self._events),
                Route(f"{product}/commits/{{sha}}", _read(self._commit)),
                Route(f"{product}/files", _read(self._tree)),
                Route(f"{product}/file", _read(self._file)),
                Route(f"{product}/evidence/{{step}}/{{file}}", self._evidence),
                Route(f"{product}/{{action}}", _write(self._act), methods=["POST"]),
                Route("/{path:path}", self._static),
            ]
        )

    def _static(self, request: Request) -> Response:
        path = request.path_params["path"] or "index.html"
        if path not in self._files:
            return Response("not found", status_code=404, media_type="text/plain")
        return Response(self._files[path], media_type=TYPES[Path(path).suffix])

    def _products(self, request: Request) -> Any:
        return {"products": self.catalogue.rows(), "warehouse": str(self.catalogue.warehouse)}

    def _companies(self, request: Request) -> Any:
        return {"companies": self.workshop.rows()}

    def _company(self, request: Request) -> Any:
        return self.workshop.read(request.path_params["id"])

    def _edit(self, request: Request, body: Body) -> Any:
        """Check a draft, save it, or copy the company into a folder of one's own."""
        name, action, files = request.path_params["id"], request.path_params["action"], body.get("files", {})
        if not isinstance(files, dict) or not isinstance(body.get("was", {}), dict):
            raise UserError("files must map keys to texts")
        if action == "check":
            return self.workshop.check(name, files)
        if action == "save":
            return self.workshop.save(name, files, body.get("was", {}))
        if action == "copy":
            return {"id": self.workshop.copy(name, str(body.get("as", "")))}
        raise UserError("there is no such action")

    def _run(self, request: Request) -> Run:
        return self.catalogue.run(request.path_params["name"])

    def _state(self, request: Request) -> Any:
        """The chain, the state (`at=ID`: as it was then), the newest items, and what is being said."""
        run = self._run(request)
        if "at" in request.query_params:
            return {"state": run.state_at(_number(request, "at", 0))}
        words: dict[str, str] = {}
        state, last = run.state(), 0
        for event in run.feed.after(state["last_id"]):
            if event.kind not in ("words", "progress"):
                break  # it came after the state was taken, and is sent to those who follow
            last = event.id
            if event.kind == "words":
                words[event["agent"]] = words.get(event["agent"], "") + event["text"]
        items, earlier = paging.before(run, state["last_id"] + 1)
        return {
            "chain": run.chain,
            "chain_error": run.chain_error,
            "state": state,
            "items": items,
            "earlier": earlier,
            "words": words,
            "last_id": max(last, state["last_id"]),
            "commits": paging.commits(run),
        }

    def _asked(self, request: Request) -> Any:
        """What a person is asked now, ready to be shown: a diff in colours, with the files that it touches."""
        run = self._run(request)
        asked = run.state()["asked"]
        if asked is None:
            raise UserError("there is no such question any more")
        patch = read_patch(str(asked.get("subject", ""))) if asked.get("about") == "diff" else []
        return {**asked, "patch": patch, "files": product_files.texts(run.product.root, [one["path"] for one in patch])}

    def _items(self, request: Request) -> Any:
        """A page of the dialogue, before or after an event; without either, the newest."""
        run = self._run(request)
        if "after" in request.query_params:
            return {"items": paging.after(run, _number(request, "after", 0))}
        items, earlier = paging.before(run, _number(request, "before", 1 << 60))
        return {"items": items, "earlier": earlier}

    async def _events(self, request: Request) -> Response:
        try:
            run = await run_in_threadpool(self._run, request)
        except UserError as error:
            return _json({"error": str(error)}, 404)
        if self._followers >= MOST_FOLLOWERS:
            return _json({"error": f"{MOST_FOLLOWERS} pages follow runs already"}, 503)
        last = request.headers.get("last-event-id") or request.query_params.get("from", "0")
        number = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else 0
        return StreamingResponse(self._counted(follow(run, number)), media_type="text/event-stream")

    async def _counted(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        self._followers += 1
        try:
            async for part in stream:
                yield part
        finally:
            self._followers -= 1

    def _parting(self, request: Request) -> Any:
        names = request.path_params
        return lookup.where_they_part(self.catalogue.product(names["a"]), self.catalogue.product(names["b"]))

    def _blame(self, request: Request) -> Any:
        place = f"{request.query_params.get('path', '')}:{_number(request, 'line', 0)}"
        return lookup.who_wrote(self._product(request), place, self._run(request).titles)

    def _export(self, request: Request) -> Response:
        """The run as one HTML page, to be kept; never shown by the studio itself."""
        from chatdev.export import page

        try:
            product = self._product(request)
            text = page(product)
        except (UserError, OSError) as error:
            return _json({"error": str(error)}, 404)
        kept = {"content-disposition": f"attachment; filename*=utf-8''{quote(product.name, safe='')}.html"}
        return Response(text.encode("utf-8", "replace"), media_type="text/html; charset=utf-8", headers=kept)

    def _commit(self, request: Request) -> Any:
        return product_files.commit(self._product(request).root, request.path_params["sha"])

    def _tree(self, request: Request) -> Any:
        return product_files.tree(self._product(request).root)

    def _file(self, request: Request) -> Any:
        return product_files.file(self._product(request).root, request.query_params.get("path", ""))

    def _product(self, request: Request) -> Any:
        return self.catalogue.product(request.path_params["name"])

    def _evidence(self, request: Request) -> Response:
        names = request.path_params
        try:
            folder = self._product(request).evidence
        except UserError as error:
            return _json({"error": str(error)}, 404)
        found = read_evidence(folder, names["step"], names["file"])
        if found is None:
            return _json({"error": "there is no such evidence"}, 404)
        return Response(found[0], media_type=found[1])

    def _start(self, request: Request, body: Body) -> Any:
        return {"product": self.launcher.run(_options(body, RUN_OPTIONS), str(body.get("task", "")))}

    def _act(self, request: Request, body: Body) -> Any:
        """Speak to a run by letter, or start a command that goes on with it."""
        product, action = self._product(request), request.path_params["action"]
        inbox = Inbox(product.inbox)
        if action in ("answer", "stop") and holder(product.ours) is None:
            # A letter that nobody reads now would be read by whoever resumes the run.
            raise UserError("the run is not at work any more")
        if action == "answer":
            inbox.put(letters.answer(body))
        elif action == "message":
            inbox.put(letters.message(body))
        elif action == "stop":
            inbox.put({"kind": "stop"})
        elif action == "undo":
            self.launcher.undo(product, _options(body, ("to",)))
        elif action == "redo":
            self.launcher.undo(product, ["--redo"])
        elif action == "resume":
            self.launcher.resume(product, _options(body, ("model", "sandbox")))
        elif action == "fork":
            made = self.launcher.fork(product, _options(body, ("at", "as", "model", "comment")))
            return {"product": made}
        else:
            raise UserError("there is no such action")
        return {"ok": True}


RUN_OPTIONS = ("name", "company", "model", "review", "sandbox", "seed", "from")


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.suffix in TYPES]


def _options(body: Body, names: tuple[str, ...]) -> list[str]:
    """Fields of a form as options of the command line; `--name=value` can never be taken for another option."""
    return [f"--{name}={body[name]}" for name in names if body.get(name) not in (None, "")]


def _number(request: Request, name: str, otherwise: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else otherwise


def _read(handler: Callable[[Request], Any]) -> Callable[[Request], Response]:
    """A handler whose result is sent as JSON."""

    def handle(request: Request) -> Response:
        return _answered(lambda: handler(request))

    return handle


def _write(handler: Callable[[Request, Body], Any]) -> Callable[[Request], Awaitable[Response]]:
    """A handler that takes a JSON object and may change something."""

    async def handle(request: Request) -> Response:
        try:
            body = json.loads(await request.body())
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            return _json({"error": "a JSON object is wanted"}, 400)
        return await run_in_threadpool(_answered, lambda: handler(request, body))

    return handle


def _answered(make: Callable[[], Any]) -> Response:
    try:
        return _json(make())
    except UserErrors as found:
        return _json({"error": str(found), "errors": [str(one) for one in found.errors]}, 422)
    except UserError as error:
        return _json({"error": str(error)}, 404 if error.what.startswith("there is no such") else 422)
    except OSError as error:  # a product that is deleted while it is looked at
        return _json({"error": f"it cannot be read ({error.strerror})"}, 404)


def _json(value: Any, status: int = 200) -> Response:
    return Response(encode(value), status, media_type="application/json")
