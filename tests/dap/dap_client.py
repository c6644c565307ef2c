"""A client of the Debug Adapter Protocol for tests: real sockets, a server in a thread, no mocks."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any, BinaryIO

from foretrace.dap import serve_tcp

TOKEN = "secret"
WAIT = 30.0
"""Seconds after which a test has failed."""
ALL = {"supportsVariableType": True, "supportsProgressReporting": True, "supportsInvalidatedEvent": True}


class Refused(Exception):
    """A request was answered with an error."""


class Client:
    """Sends requests, and keeps what comes until it is asked for."""

    def __init__(self, source: BinaryIO, write: Callable[[bytes], object]) -> None:
        self._file, self._write = source, write
        self._seq = 0
        self.events: list[dict[str, Any]] = []
        self._responses: dict[int, dict[str, Any]] = {}
        self.log: list[str] = []
        """Names of events, and commands that were answered, in the order in which they came."""

    def read(self) -> dict[str, Any] | None:
        """The next message; None at the end."""
        length = 0
        while (line := self._file.readline()) not in (b"\r\n", b""):
            length = int(line.removeprefix(b"Content-Length: "))
        if not line:
            return None
        return json.loads(self._file.read(length))

    def _receive(self) -> None:
        message = self.read()
        assert message is not None, "the server closed the connection"
        self.log.append(message.get("event") or message["command"])
        if message["type"] == "event":
            self.events.append(message)
        else:
            self._responses[message["request_seq"]] = message

    def send(self, command: str, **arguments: Any) -> int:
        """Sends a request and does not wait; returns what it is called."""
        self._seq += 1
        body = json.dumps({"seq": self._seq, "type": "request", "command": command, "arguments": arguments}).encode()
        self._write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        return self._seq

    def response(self, seq: int) -> dict[str, Any]:
        """The body of the answer to a request; raises `Refused` if it is an error."""
        while seq not in self._responses:
            self._receive()
        answer = self._responses.pop(seq)
        if not answer["success"]:
            assert answer["body"]["error"]["format"]
            raise Refused(answer["message"])
        return answer.get("body", {})

    def request(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Sends a request and waits for its answer."""
        return self.response(self.send(command, **arguments))

    def event(self, name: str, accept: Callable[[dict[str, Any]], bool] = lambda body: True) -> dict[str, Any]:
        """The body of the first event of that name that was not taken yet."""
        at = 0
        while True:
            while at == len(self.events):
                self._receive()
            body = self.events[at].get("body", {})
            if self.events[at]["event"] == name and accept(body):
                del self.events[at]
                return body
            at += 1

    # -- what many tests do ----------------------------------------------------------------------------

    def launch(self, program: Path, function: str = "f", args: str | None = "'r'", **others: Any) -> dict[str, Any]:
        """Up to where breakpoints can be set."""
        client = others.pop("client", ALL)
        capabilities = self.request("initialize", adapterID="foretrace", **client)
        given = {"program": str(program), "function": function, "model": "oracle:err=0", "allowRun": True, "token": TOKEN}
        arguments = given | ({} if args is None else {"args": args}) | others
        self.request("launch", **arguments)
        self.event("initialized")
        return capabilities

    def start(self, program: Path, function: str = "f", args: str | None = "'r'", **others: Any) -> dict[str, Any]:
        """Up to the first stop."""
        self.launch(program, function, args, **others)
        self.request("configurationDone")
        return self.event("stopped")

    def move(self, command: str, **arguments: Any) -> dict[str, Any]:
        """A move, and the stop after it."""
        self.request(command, threadId=1, **arguments)
        return self.event("stopped")

    def stack(self) -> list[dict[str, Any]]:
        """The frames of the stack."""
        return self.request("stackTrace", threadId=1)["stackFrames"]

    def line(self) -> int:
        """Where it stands."""
        return self.stack()[0]["line"]

    def scopes(self, frame: int = 0) -> dict[str, int]:
        """The scopes of a frame by name."""
        found = self.request("scopes", frameId=self.stack()[frame]["id"])["scopes"]
        return {scope["name"]: scope["variablesReference"] for scope in found}

    def variables(self, reference: int) -> dict[str, dict[str, Any]]:
        """Variables by name."""
        return {each["name"]: each for each in self.request("variables", variablesReference=reference)["variables"]}

    def values(self, scope: str = "Predicted locals", frame: int = 0) -> dict[str, str]:
        """The texts of a scope."""
        found = self.variables(self.scopes(frame)[scope])
        return {name: each["value"] for name, each in found.items()}

    def console(self, text: str) -> str:
        """What the console answers."""
        return self.request("evaluate", expression=text, context="repl")["result"]

    def close(self) -> None:
        """Goes away, without a word."""
        self._file.close()


class SocketClient(Client):
    """One that connects to a port."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT)
        super().__init__(self.socket.makefile("rb"), self.socket.sendall)

    def close(self) -> None:
        """Goes away, without a word."""
        super().close()
        self.socket.close()


@contextmanager
def serving(token: str = TOKEN) -> Iterator[int]:
    """A server in a thread; its port."""
    ports: Queue[int] = Queue()
    loop = asyncio.new_event_loop()
    task = loop.create_task(serve_tcp(0, token=token, ready=ports.put))

    def run() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield ports.get(timeout=WAIT)
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(WAIT)
        loop.close()
        assert not thread.is_alive()
