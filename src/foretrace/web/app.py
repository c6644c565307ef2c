"""The web page's server: what it answers, and to whom.

    site = Site(opener=Opener(predictor=load_predictor("tiny")), home=lambda: …, running=Running())
    app = make_app(site, rules_for("127.0.0.1", port=8765, token=new_token(), open_paths=OPEN, page=True))

Sessions are in memory; a request names one by its id. Nothing that a request says is used as a path, and nothing is
executed but by the verb `run_for_real`, where `Running` allows it. The door is `serve.guard`.
"""

import ast
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from io import StringIO
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from foretrace.debug import Session, save_session
from foretrace.debug.imports import missing_modules
from foretrace.engine.binding import functions_of, parse_source
from foretrace.errors import ForetraceError
from foretrace.serve.guard import Guard, Rules
from foretrace.serve.problem import Problem
from foretrace.web.arguments import Arguments
from foretrace.web.export import export_html, file_name
from foretrace.web.moves import events
from foretrace.web.opening import MAX_SOURCE, Opener
from foretrace.web.refusals import HANDLERS
from foretrace.web.running import Running
from foretrace.web.sessions import Store
from foretrace.web.views import answer, program, view

OPEN = ("/static/",)
"""Paths that need no token: they are the same for everybody."""
POLICY = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; connect-src 'self'; \
base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """What one server shows."""

    opener: Opener
    home: Callable[[], Session]
    """Opens what the page begins with."""
    running: Running = field(default_factory=Running)
    examples: tuple[dict[str, str], ...] = ()
    """Programs that a user may choose: `name`, `source`, `entry`, `arguments`."""
    store: Store = field(default_factory=Store)


def make_app(site: Site, rules: Rules) -> Guard:
    """The application behind its door."""
    answers = _Answers(site)
    routes = [
        Route("/", answers.page),
        Mount("/static", StaticFiles(packages=[("foretrace.web", "static")])),
        Route("/api/start", answers.start),
        Route("/api/examples", answers.examples),
        Route("/api/inspect", answers.inspect, methods=["POST"]),
        Route("/api/sessions", answers.open, methods=["POST"]),
        Route("/api/sessions/{id}", answers.session),
        Route("/api/sessions/{id}/do", answers.do, methods=["POST"]),
        Route("/api/sessions/{id}/pause", answers.pause, methods=["POST"]),
        Route("/api/sessions/{id}/saved", answers.saved),
        Route("/api/sessions/{id}/export", answers.export),
        Route("/api/sessions/{id}/{question}", answers.question),
    ]
    return Guard(Starlette(routes=routes, exception_handlers=HANDLERS), rules)


class _Answers:
    """One method a route."""

    def __init__(self, site: Site) -> None:
        self._site, self._store = site, site.store

    async def page(self, request: Request) -> Response:
        return HTMLResponse(_index(), headers={"content-security-policy": POLICY, "cache-control": "no-store"})

    async def start(self, request: Request) -> Response:
        """A new session of what the page begins with."""
        session = await run_in_threadpool(self._site.home)
        return _json(self._told(session))

    async def examples(self, request: Request) -> Response:
        """Programs to choose from."""
        return _json(self._site.examples)

    async def open(self, request: Request) -> Response:
        """A session of a call that the page sent."""
        given = Arguments(await _body(request))
        return _json(self._told(await run_in_threadpool(self._site.opener.open, given)))

    async def session(self, request: Request) -> Response:
        """A session that is there."""
        entry = self._store[request.path_params["id"]]
        async with entry.turn:
            return _json(await run_in_threadpool(self._whole, entry.id, entry.session))

    async def do(self, request: Request) -> Response:
        """A verb, as server-sent events."""
        entry, given = self._store[request.path_params["id"]], Arguments(await _body(request))
        stream = events(entry, given.text("verb"), given, self._site.running)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"cache-control": "no-store"})

    async def pause(self, request: Request) -> Response:
        """Ends the move that is under way; what it has found stays."""
        self._store[request.path_params["id"]].is_paused = True
        return _json({})

    async def question(self, request: Request) -> Response:
        entry = self._store[request.path_params["id"]]
        given = Arguments(dict(request.query_params))
        async with entry.turn:
            return _json(await run_in_threadpool(answer, entry.session, request.path_params["question"], given))

    async def saved(self, request: Request) -> Response:
        """The session as text, small enough for a link: without what really happened."""
        entry = self._store[request.path_params["id"]]
        text = StringIO()
        async with entry.turn:
            await run_in_threadpool(save_session, entry.session, text, real=False)
        return _json({"saved": text.getvalue()})

    async def export(self, request: Request) -> Response:
        """The session as one file that needs no server."""
        entry = self._store[request.path_params["id"]]
        async with entry.turn:
            text = await run_in_threadpool(export_html, entry.session)
        headers = {"content-disposition": f'attachment; filename="{file_name(entry.session)}"'}
        return HTMLResponse(text, headers=headers)

    async def inspect(self, request: Request) -> Response:
        """What can be called in a source, before it is opened."""
        source = Arguments(await _body(request)).text("source", characters=MAX_SOURCE)
        return _json(await run_in_threadpool(_inspected, source))

    def _told(self, session: Session) -> dict[str, Any]:
        return self._whole(self._store.add(session).id, session)

    def _whole(self, name: str, session: Session) -> dict[str, Any]:
        return {"id": name, "program": program(session, self._site.running), "view": view(session)}


def _inspected(source: str) -> dict[str, Any]:
    try:
        tree = parse_source(source)
    except ForetraceError as error:
        return {"error": str(error), "functions": [], "missing": []}
    functions = [{"name": name, "parameters": ast.unparse(node.args)} for name, node in functions_of(tree).items()]
    return {"error": "", "functions": functions, "missing": missing_modules(source, everywhere=False)}


@cache
def _index() -> str:
    return (files("foretrace.web") / "static" / "index.html").read_text(encoding="utf-8")


async def _body(request: Request) -> object:
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise Problem(400, f"the body is no JSON: {error}") from error


def _json(value: object) -> Response:
    text = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return Response(text, media_type="application/json", headers={"cache-control": "no-store"})
