"""A receipt in a browser: the page, and behind each prediction the debugger on its trace.

    app = make_receipt(Receipt.load(path), rules_for("127.0.0.1", port=8765, token=new_token(), page=True))

Traces are replayed as they were told; no model is asked and nothing is run.
"""

import re

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from foretrace.debug import Settings, open_session
from foretrace.engine.replay import ReplayPredictor
from foretrace.serve.guard import Guard, Rules
from foretrace.serve.problem import Problem
from foretrace.solve.page import receipt_html
from foretrace.solve.receipt import Receipt
from foretrace.solve.statement import arguments_of
from foretrace.trace import read_jsonl
from foretrace.web.export import export_html
from foretrace.web.refusals import HANDLERS
from foretrace.web.story import POLICY

_NUMBERS = re.compile(r"\d{1,6}\.\d{1,6}")
_BUDGET = 1 << 24
"""Of what is replayed: more than any trace has."""


def make_receipt(receipt: Receipt, rules: Rules) -> Guard:
    """The application behind its door."""

    async def index(request: Request) -> Response:
        text = await run_in_threadpool(receipt_html, receipt, lambda *numbers: address_of(receipt, *numbers))
        headers = {"content-security-policy": f"{POLICY}; frame-ancestors 'none'", "cache-control": "no-store"}
        return HTMLResponse(text, headers=headers)

    async def replay(request: Request) -> Response:
        name = request.path_params["name"]
        if not _NUMBERS.fullmatch(name) or name not in receipt.traces:
            raise Problem(404, "this receipt has no such prediction")
        return HTMLResponse(await run_in_threadpool(replay_html, receipt, name), headers={"cache-control": "no-store"})

    routes = [Route("/", index), Route("/predictions/{name}", replay)]
    return Guard(Starlette(routes=routes, exception_handlers=HANDLERS), rules)


def address_of(receipt: Receipt, candidate: int, check: int) -> str:
    """Where the debugger shows a prediction; empty if its trace is not in the receipt."""
    name = f"{candidate}.{check}"
    return f"/predictions/{name}" if name in receipt.traces else ""


def replay_html(receipt: Receipt, name: str) -> str:
    """The debugger on the trace of a prediction, as one page."""
    [trace] = read_jsonl(receipt.traces[name].splitlines(keepends=True))
    candidate, check = map(int, name.split("."))
    arguments = arguments_of(receipt.checks[check].text, receipt.entry)
    session = open_session(
        ReplayPredictor(trace, f"{receipt.predictor} (replayed)"),
        trace.header.source,
        receipt.entry,
        arguments,
        settings=Settings(budget=_BUDGET),
        path=f"candidate {candidate + 1}",
    )
    session.run()
    session.seek(0)
    return export_html(session)
