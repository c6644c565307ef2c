"""The base of the Debug Adapter Protocol: JSON messages with their length in front, over a pair of streams.

    connection = Connection(reader, writer)
    request = await connection.read()                       # None: the client is gone
    connection.respond(request, {"threads": []})
    connection.event("stopped", {"reason": "entry", "threadId": 1})

The form is that of the protocol's "Base Protocol" (microsoft.github.io/debug-adapter-protocol, overview). It is read
strictly: a web page can make a browser send to a local port what it likes, but not without the lines of HTTP in front
of it, and those end the connection here. Answers and events may be sent from any thread.
"""

import asyncio
import json
import threading
from dataclasses import dataclass
from itertools import count
from typing import Any

from foretrace.dap.arguments import Arguments
from foretrace.errors import UsageError

MAX_MESSAGE = 4 << 20
"""Bytes of one request."""
_HEADERS = (b"content-length", b"content-type")
_WHAT = "an editor speaks the Debug Adapter Protocol here: see docs/editors.md"


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks."""

    number: int
    """In the order in which requests came, from 1."""
    seq: int
    """What the client calls it."""
    command: str
    arguments: Arguments


class Connection:
    """One client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """To be made where the event loop runs."""
        self._reader, self._writer = reader, writer
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._sent, self._came = count(1), count(1)

    async def read(self) -> Request | None:
        """The next request; None once the client is gone.

        Raises:
            UsageError: what came is no request.

        """
        try:
            await self._writer.drain()  # a client that does not listen is not listened to
            header = await self._reader.readuntil(b"\r\n\r\n")
            body = await self._reader.readexactly(_length(header))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        except asyncio.LimitOverrunError as error:
            raise UsageError(f"a header is too long; {_WHAT}") from error
        return _request(body, next(self._came))

    def respond(self, request: Request, body: dict[str, Any] | None = None) -> None:
        """Answers a request."""
        self._answer(request, {"success": True} | ({} if body is None else {"body": body}))

    def refuse(self, request: Request, message: str, *, show: bool = False) -> None:
        """Answers a request that cannot be done.

        Args:
            request: it.
            message: what, why, and what to do.
            show: whether the editor is to tell the user at once.

        """
        escaped = message.replace("{", "(").replace("}", ")")  # braces are variables in a `format`
        error = {"id": request.number, "format": escaped, "showUser": show}
        self._answer(request, {"success": False, "message": message, "body": {"error": error}})

    def event(self, name: str, body: dict[str, Any] | None = None) -> None:
        """Tells what happened."""
        self._send({"type": "event", "event": name} | ({} if body is None else {"body": body}))

    async def close(self) -> None:
        """Sends what is still to be sent, and closes."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            pass  # the client closed first

    def _answer(self, request: Request, fields: dict[str, Any]) -> None:
        self._send({"type": "response", "request_seq": request.seq, "command": request.command} | fields)

    def _send(self, message: dict[str, Any]) -> None:
        with self._lock:  # numbers are in the order of sending
            data = json.dumps({"seq": next(self._sent)} | message).encode()
            self._loop.call_soon_threadsafe(self._write, b"Content-Length: %d\r\n\r\n%b" % (len(data), data))

    def _write(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)


def _length(header: bytes) -> int:
    """The length of the body that follows."""
    length = None
    for line in header.removesuffix(b"\r\n\r\n").split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() not in _HEADERS:
            raise UsageError(f"no header of a message: {line[:80].decode('ascii', 'replace')!r}; {_WHAT}")
        if name.strip().lower() == b"content-length":
            length = value.strip()
    if length is None or not length.isdigit() or len(length) > 9 or int(length) > MAX_MESSAGE:
        shown = (length or b"missing")[:20].decode("ascii", "replace")
        raise UsageError(f"the length of a message is {shown}, not a number up to {MAX_MESSAGE}; {_WHAT}")
    return int(length)


def _request(body: bytes, number: int) -> Request:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"a message is not JSON: {error}; {_WHAT}") from error
    match message:
        case {"type": "request", "seq": int(seq), "command": str(command)}:
            values = message.get("arguments")
            return Request(number, seq, command, Arguments(command, values if isinstance(values, dict) else {}))
    raise UsageError(f"a message is no request: {body[:80].decode('utf-8', 'replace')}; {_WHAT}")
