"""Answers that take a while: waiting for jobs and sending events, for as long as the client is there and there is time.

Whoever goes away frees its places in the batches before the next pass; so does an answer that takes too long.

    await all_done(jobs, batcher, request.receive, seconds=300)
    return EventStream(events)
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from starlette.responses import Response

from foretrace.serve.batching import Batcher, Cancelled, Job
from foretrace.serve.guard import Message, Receive, Send
from foretrace.serve.problem import Problem

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class ClientGone(Exception):
    """Nobody waits for the answer."""


def too_slow(seconds: float) -> Problem:
    """The refusal of an answer that takes longer than this."""
    return Problem(503, f"the answer was not complete within {seconds:g} s; ask for fewer tokens", code="time_limit")


def stopping() -> Problem:
    """The refusal of a server that ends."""
    return Problem(503, "the server is being stopped", headers={"retry-after": "5"})


async def all_done(jobs: Sequence[Job], batcher: Batcher, receive: Receive, *, seconds: float) -> None:
    """Waits until all jobs have ended; takes them back if nobody waits any more.

    Raises:
        ClientGone: the client closed its connection.
        Problem: 503; there is no time left, or the server is being stopped.

    """
    gone = asyncio.ensure_future(left(receive))
    deadline = asyncio.get_running_loop().time() + seconds
    try:
        for job in jobs:
            done = asyncio.wrap_future(job.done)
            done.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # nobody may be left to ask
            remaining = deadline - asyncio.get_running_loop().time()
            both: set[asyncio.Future[Any]] = {done, gone}
            await asyncio.wait(both, timeout=max(remaining, 0.0), return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                raise ClientGone if gone.done() else too_slow(seconds)
            done.result()
    except Cancelled as error:
        raise stopping() from error
    finally:
        gone.cancel()
        batcher.cancel(jobs)  # those that have ended stay as they are


async def left(receive: Receive) -> None:
    """Returns when the client has gone. The body of its request must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


def json_answer(content: Any) -> Response:
    """An answer in JSON. It is ASCII: texts of programs may hold lone surrogates, which UTF-8 lacks."""
    return Response(json.dumps(content, allow_nan=False, separators=(",", ":")), media_type="application/json")


def call_in(loop: asyncio.AbstractEventLoop, function: Callable[..., Any], *arguments: Any) -> None:
    """Has a loop call a function, from another thread; nothing happens once the loop is closed, for nobody listens then."""
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:
        if not loop.is_closed():
            raise


def event(data: Any, name: str = "") -> bytes:
    """One server-sent event: an object as JSON, or a line of text as it is."""
    text = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"))
    return f"{f'event: {name}' + chr(10) if name else ''}data: {text}\n\n".encode()


class EventStream:
    """An ASGI response of server-sent events. The generator is closed when it is over or nobody listens any more."""

    def __init__(self, events: AsyncGenerator[bytes], on_gone: Callable[[], None]) -> None:
        """`on_gone` is called if the client leaves before the end."""
        self._events, self._on_gone = events, on_gone

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Sends the events."""
        writing = asyncio.ensure_future(self._write(send))
        gone = asyncio.ensure_future(left(receive))
        try:
            await asyncio.wait({writing, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not writing.done():
                self._on_gone()
        finally:
            gone.cancel()
            writing.cancel()
            await asyncio.wait({writing})
        if not writing.cancelled():
            writing.result()

    async def _write(self, send: Send) -> None:
        async with aclosing(self._events) as events:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            async for each in events:
                await send({"type": "http.response.body", "body": each, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
