"""Runs the server until it is told to stop.

    listening = bind("127.0.0.1", 8000)
    Server(app, ready=lambda: print(address_of(listening)), end=served.close).run(sockets=[listening])

After a signal no more connections are taken, and answers have some seconds to end; those that then still go on are told that
the server is being stopped. A second signal cuts them off.
"""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from foretrace.errors import UsageError
from foretrace.serve.guard import App

GRACE = 10
_LAST = 5
"""Seconds in which answers that were told to end do so."""
_CONNECTIONS = 1024


class Server(uvicorn.Server):
    """Stops at a signal or at `should_exit`, and returns instead of dying of the signal; says when it is ready."""

    def __init__(self, app: App, *, ready: Callable[[], None], end: Callable[[], None], grace: float = GRACE) -> None:
        """How it begins and ends.

        Args:
            app: what answers.
            ready: called once it does.
            end: called when it is to do so no more, in a thread; it makes answers that still go on end.
            grace: seconds between a signal and that.

        """
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=int(grace) + _LAST,
            ws="none",
            lifespan="off",
        )
        super().__init__(config)
        self._ready, self._end, self._grace = ready, end, grace

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Has the first signal end the server, and the second one its connections; in the main thread only."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to answer."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops answering."""
        ending = asyncio.ensure_future(self._end_later())
        await super().shutdown(sockets)  # waits for answers, unless there is a second signal
        ending.cancel()
        await asyncio.to_thread(self._end)
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=1)

    async def _end_later(self) -> None:
        await asyncio.sleep(self._grace)
        await asyncio.to_thread(self._end)


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0: on a free one.

    Raises:
        UsageError: the address is not one of this machine, or somebody listens there already.

    """
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        # Only where a socket is known to be TCP's does asyncio send at once; else each answer waits 40 ms for an ACK.
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(f"there is no address {host!r}: {error.strerror}") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_CONNECTIONS)
    except OSError as error:
        listening.close()
        raise UsageError(f"cannot listen at {host}:{port}: {error.strerror}; try another --port, or 0") from error
    return listening


def address_of(listening: socket.socket) -> str:
    """The URL of what listens there, as this machine reaches it."""
    host, port, *_ = listening.getsockname()
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"
