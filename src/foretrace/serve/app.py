"""The application: paths, what goes wrong, and what is counted.

    app = create_app(served, rules)         # an ASGI application; whoever made `served` closes it

Nothing here executes code or opens a file that a request names: it holds texts and numbers, and so does its answer.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from foretrace.errors import ForetraceError
from foretrace.serve import metrics as exposition
from foretrace.serve.answers import ClientGone, json_answer
from foretrace.serve.completions import Completions
from foretrace.serve.guard import App, Guard, Message, Receive, Rules, Send
from foretrace.serve.metrics import Metrics
from foretrace.serve.model import ServedModel
from foretrace.serve.openapi import document
from foretrace.serve.problem import Problem
from foretrace.serve.traces import Traces

OPEN_PATHS = ("/health",)
_log = logging.getLogger(__name__)


def create_app(served: ServedModel, rules: Rules) -> App:
    """The application about one model, behind its guard."""
    completions, traces = Completions(served), Traces(served)
    api = document(served.name)

    async def health(request: Request) -> Response:
        return json_answer({"status": "ok"})

    async def models(request: Request) -> Response:
        return json_answer({"object": "list", "data": [_card(served)]})

    async def model(request: Request) -> Response:
        if request.path_params["name"] != served.name:
            raise Problem(404, f"there is no such model; this server has {served.name!r}", code="model_not_found")
        return json_answer(_card(served))

    async def metrics(request: Request) -> Response:
        text = served.metrics.text(waiting=served.batcher.waiting, running=served.batcher.running)
        return Response(text, headers={"content-type": exposition.CONTENT_TYPE})

    async def reload(request: Request) -> Response:
        return json_answer({"reloads": await asyncio.to_thread(served.reload)})

    async def openapi(request: Request) -> Response:
        return json_answer(api)

    routes = [
        Route("/health", health),
        Route("/metrics", metrics),
        Route("/openapi.json", openapi),
        Route("/v1/models", models),
        Route("/v1/models/{name:path}", model),
        Route("/v1/completions", completions.answer, methods=["POST"]),
        Route("/v1/traces/predict", traces.predict, methods=["POST"]),
        Route("/v1/traces/score", traces.score, methods=["POST"]),
    ]
    if served.limits.reload:
        routes.append(Route("/v1/weights/reload", reload, methods=["POST"]))
    handlers: dict[Any, Callable[[Request, Any], Awaitable[Response]]] = {
        Problem: _problem,
        ForetraceError: _user_error,
        HTTPException: _http_error,
        ClientGone: _nobody,
        Exception: _our_error,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    return Counted(Guard(app, rules), served.metrics, [route.path for route in routes])


class Counted:
    """Counts answers by path and status. Paths that are not ours are one."""

    def __init__(self, app: App, metrics: Metrics, paths: list[str]) -> None:
        self._app, self._metrics, self._paths = app, metrics, frozenset(paths)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Calls the application, and looks at the status it sends."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started, status = time.perf_counter(), 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            return await self._app(scope, receive, counted)
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.answered(path, status, time.perf_counter() - started)


def _card(served: ServedModel) -> dict[str, Any]:
    return {
        "id": served.name,
        "object": "model",
        "created": served.created,
        "owned_by": "foretrace",
        "max_model_len": served.context,
    }


async def _problem(request: Request, problem: Problem) -> Response:
    headers = {"content-type": "application/json", **problem.headers}
    return Response(problem.json(), problem.status, headers)


async def _user_error(request: Request, error: ForetraceError) -> Response:
    return await _problem(request, Problem(400, str(error)))


async def _http_error(request: Request, error: HTTPException) -> Response:
    allowed = (error.headers or {}).get("Allow")
    what = f"{request.method} is not offered here" if error.status_code == 405 else "there is nothing at this path"
    return await _problem(request, Problem(error.status_code, what, headers={"allow": allowed} if allowed else None))


async def _nobody(request: Request, error: ClientGone) -> Response:
    return Response(status_code=499)  # nginx's number; nobody reads it, but it is counted


async def _our_error(request: Request, error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return await _problem(request, Problem(500, "a mistake of the server's; its log has more"))
