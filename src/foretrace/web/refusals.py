"""How the pages' servers refuse: every error of a user as one JSON object (`serve.problem`).

Starlette(routes=…, exception_handlers=HANDLERS)
"""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from foretrace.errors import ForetraceError
from foretrace.serve.problem import Problem


async def _refuse(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return Response(problem.json(), problem.status, headers=dict(problem.headers), media_type="application/json")


async def _refuse_user(request: Request, error: Exception) -> Response:
    return await _refuse(request, Problem(403 if getattr(error, "exit_code", 0) == 5 else 400, str(error)))


async def _refuse_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return await _refuse(request, Problem(error.status_code, str(error.detail)))


HANDLERS: dict[Any, Any] = {Problem: _refuse, ForetraceError: _refuse_user, HTTPException: _refuse_http}
"""By the error, for Starlette."""
