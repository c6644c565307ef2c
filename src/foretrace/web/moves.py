"""A move as server-sent events: how far it has come while it goes on, and then the view, or what went wrong.

    async for chunk in events(entry, "run", given, site): …

    event: progress    data: {"steps": 412, "spent": 9031}
    event: view        data: {"summary": …, "state": …, "notes": …}
    event: error       data: {"message": "…"}

A move runs in a thread. It ends early if somebody pauses it, or if nobody listens any more.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from anyio import CancelScope
from starlette.concurrency import run_in_threadpool

from foretrace.errors import ForetraceError
from foretrace.web.arguments import Arguments
from foretrace.web.running import Running
from foretrace.web.sessions import Entry
from foretrace.web.verbs import act
from foretrace.web.views import view

_SECONDS = 0.1
"""Between two signs of progress."""


async def events(entry: Entry, verb: str, given: Arguments, running: Running) -> AsyncIterator[bytes]:
    """The events of one move, once it is its turn."""
    async with entry.turn:
        entry.is_paused = False
        told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        entry.session.on_step = _reporter(entry, lambda sign: loop.call_soon_threadsafe(told.put_nowait, sign))
        move = asyncio.ensure_future(run_in_threadpool(_move, entry, verb, given, running))
        sign = asyncio.ensure_future(told.get())
        try:
            while not move.done():
                await asyncio.wait({move, sign}, return_when=asyncio.FIRST_COMPLETED)
                if sign.done():
                    yield _event("progress", sign.result())
                    sign = asyncio.ensure_future(told.get())
            yield _event(*move.result())
        finally:
            sign.cancel()
            entry.is_paused = True
            with CancelScope(shield=True):  # the session is not free before its thread is
                await asyncio.wait({move})
            entry.session.on_step = None


def _move(entry: Entry, verb: str, given: Arguments, running: Running) -> tuple[str, dict[str, Any]]:
    try:
        act(entry.session, verb, given, running)
        return "view", view(entry.session)
    except ForetraceError as error:
        return "error", {"message": str(error)}


def _reporter(entry: Entry, tell: Callable[[dict[str, Any]], object]) -> Callable[[int], bool]:
    last = time.monotonic()

    def report(known: int) -> bool:
        nonlocal last
        if time.monotonic() - last > _SECONDS:
            last = time.monotonic()
            tell({"steps": known, "spent": entry.session.spent})
        return not entry.is_paused

    return report


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode("utf-8", "surrogatepass")
