"""Where editors come in: standard input and output, or a port of this machine.

    asyncio.run(serve_stdio())
    asyncio.run(serve_tcp(4711, token="…", ready=print))

Over a port, each connection is a session of its own. Only programs on this machine can connect; as these may be other
users' programs, only a client that knows the server's token can be allowed to run code.
"""

import asyncio
import logging
import os
from collections.abc import Callable

from foretrace.dap.adapter import Adapter
from foretrace.dap.launch import Access
from foretrace.dap.protocol import Connection
from foretrace.errors import UsageError

HOST = "127.0.0.1"
MAX_CLIENTS = 16
_log = logging.getLogger(__name__)


async def serve_stdio() -> None:
    """Serves the program that started this one, until it closes the pipe.

    Raises:
        UsageError: it speaks something else, or standard input and output are no pipes.

    """
    if os.isatty(0):
        raise UsageError("an editor starts this command and speaks to it; for one that connects: foretrace dap --port 4711")
    loop = asyncio.get_running_loop()
    # what else prints, or reads, must not come between messages
    source, target = os.fdopen(os.dup(0), "rb", 0), os.fdopen(os.dup(1), "wb", 0)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    reader = asyncio.StreamReader()
    try:
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), source)
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), target
        )
    except ValueError as error:
        raise UsageError(
            f"standard input and output must be pipes, as an editor makes them, or give --port: {error}"
        ) from error
    connection = Connection(reader, asyncio.StreamWriter(transport, protocol, None, loop))
    try:
        await Adapter(connection, Access()).run()
    finally:
        await connection.close()


async def serve_tcp(port: int, *, token: str = "", ready: Callable[[int], None] = lambda _: None) -> None:
    """Serves editors on a port of 127.0.0.1, until it is cancelled.

    Args:
        port: 0: any that is free.
        token: what clients must know; empty: nothing, and no client can have code run.
        ready: is told the port, once editors can connect.

    Raises:
        UsageError: the port cannot be used.

    """
    clients = _Clients(Access(token=token, may_run=bool(token)))
    try:
        server = await asyncio.start_server(clients.serve, HOST, port)
    except OSError as error:
        why = f"port {port} cannot be used ({error.strerror})"
        raise UsageError(f"{why}; try another one, or 0 for any that is free") from error
    async with server:
        try:
            ready(server.sockets[0].getsockname()[1])
            await server.serve_forever()
        finally:
            await clients.send_away()


class _Clients:
    """Those who are connected to a port."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._gone: dict[asyncio.StreamWriter, asyncio.Event] = {}
        """By what is written to them; set once nothing more is done for them."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one, if there is room."""
        connection, gone = Connection(reader, writer), asyncio.Event()
        self._gone[writer] = gone
        try:
            if len(self._gone) <= MAX_CLIENTS:
                await Adapter(connection, self._access).run()
        except UsageError as error:
            _log.warning("a client was sent away: %s", error)
        finally:
            del self._gone[writer]
            await connection.close()
            gone.set()

    async def send_away(self) -> None:
        """Ends the sessions of all."""
        left = list(self._gone.items())
        for writer, _ in left:
            writer.close()  # which ends what is read, and so the session
        for _, gone in left:
            await gone.wait()
