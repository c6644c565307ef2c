"""One client: its requests are done one after the other, while those that end or cut short a move are done at once.

    await Adapter(Connection(reader, writer), Access()).run()

Two threads share the work. The event loop reads, and does `pause`, `cancel` and `disconnect` as they come. A worker
does all the rest, in order; before each prediction it looks whether it is to stop, and does what needs no standstill,
so that a breakpoint that is set while a slow model predicts is hit.
"""

import asyncio
import logging
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from foretrace.dap.breakpoints import FILTERS
from foretrace.dap.client import Client
from foretrace.dap.debuggee import Debuggee, Reply
from foretrace.dap.inbox import MAX_WAITING, Inbox
from foretrace.dap.launch import Access, Launch
from foretrace.dap.progress import Progress
from foretrace.dap.protocol import Connection, Request
from foretrace.errors import ForetraceError, UsageError

CAPABILITIES: dict[str, Any] = {
    "supportsConfigurationDoneRequest": True,
    "supportsStepBack": True,
    "supportsGotoTargetsRequest": True,
    "supportsSetVariable": True,
    "supportsSetExpression": True,
    "supportsEvaluateForHovers": True,
    "supportsRestartFrame": True,
    "supportsConditionalBreakpoints": True,
    "supportsHitConditionalBreakpoints": True,
    "supportsDataBreakpoints": True,
    "supportsExceptionInfoRequest": True,
    "supportsExceptionFilterOptions": True,
    "supportsDelayedStackTraceLoading": True,
    "supportsCancelRequest": True,
    "exceptionBreakpointFilters": FILTERS,
}
_AT_ANY_TIME = frozenset({"threads", "source", "setBreakpoints", "setDataBreakpoints", "setExceptionBreakpoints"})
"""Requests that need no standstill."""
_log = logging.getLogger(__name__)


class Adapter:
    """Serves one client until it goes away."""

    def __init__(self, connection: Connection, access: Access) -> None:
        """`access` is what the client may do."""
        self._connection, self._access = connection, access
        self._client = Client()
        self._debuggee: Debuggee | None = None
        self._inbox = Inbox()
        self._current: Request | None = None
        self._progress: Progress | None = None
        self._halted = 0
        """Moves are cut short that were asked for before the request of this number."""
        self._is_over = False

    async def run(self) -> None:
        """Reads requests to the last one.

        Raises:
            UsageError: what came is no request.

        """
        executor = ThreadPoolExecutor(1, thread_name_prefix="foretrace-dap")
        worker = asyncio.get_running_loop().run_in_executor(executor, self._work)
        try:
            while not self._is_over and (request := await self._connection.read()) is not None:
                self._receive(request)
        finally:
            self._is_over, self._halted = True, sys.maxsize
            self._inbox.close()
            await worker
            executor.shutdown()

    # -- in the event loop ----------------------------------------------------------------------------

    def _receive(self, request: Request) -> None:
        try:
            match request.command:
                case "pause":
                    self._halted = request.number
                    self._connection.respond(request)
                case "cancel":
                    self._cancel(request)
                case "disconnect":
                    self._is_over = True
                    self._connection.respond(request)
                case _ if not self._inbox.put(request):
                    self._connection.refuse(request, f"{MAX_WAITING} requests wait already")
        except ForetraceError as error:
            self._connection.refuse(request, str(error))

    def _cancel(self, request: Request) -> None:
        seq, progress_id = request.arguments.number("requestId", -1), request.arguments.text("progressId", "")
        current, progress = self._current, self._progress
        if waiting := self._inbox.remove(seq):
            self._connection.refuse(waiting, "cancelled")
        elif (current and current.seq == seq) or (progress and progress.id == progress_id):
            self._halted = request.number
        self._connection.respond(request)

    # -- in the worker --------------------------------------------------------------------------------

    def _work(self) -> None:
        while (request := self._inbox.take()) is not None:
            self._current = request
            self._serve(request)
            self._end_progress()
            self._current = None

    def _serve(self, request: Request) -> None:
        """Does one request. Whatever goes wrong, an editor that waits is answered."""
        try:
            reply = self._reply(request)
        except ForetraceError as error:
            self._refuse(request, str(error))
        except Exception as error:
            _log.exception("%s failed", request.command)
            self._refuse(request, f"{request.command} failed, which is a fault of foretrace: {error!r}")
        else:
            self._respond(request, reply.body)
            self._finish(request, reply.then)

    def _finish(self, request: Request, then: Callable[[], None]) -> None:
        """Does what follows the answer."""
        try:
            then()
        except Exception as error:
            _log.exception("%s failed", request.command)
            self._tell("output", {"category": "stderr", "output": f"this is a fault of foretrace: {error!r}\n"})
            self._tell("terminated", {})

    def _reply(self, request: Request) -> Reply:
        match request.command:
            case "initialize":
                self._client = Client.read(request.arguments)
                return Reply(CAPABILITIES)
            case "launch" | "attach":
                return self._launch(request)
            case "threads" if self._debuggee is None:
                return Reply({"threads": []})
        if self._debuggee is None:
            raise UsageError(f"{request.command}: nothing is debugged yet; send launch first")
        if request.command not in self._debuggee.commands:
            raise UsageError(f"there is no request {request.command!r} here")
        return self._debuggee.commands[request.command](request.arguments)

    def _launch(self, request: Request) -> Reply:
        if self._debuggee is not None:
            raise UsageError("something is debugged already; disconnect first")
        launch = Launch.read(request.arguments, self._access)
        self._show(request, f"loading {launch.model}", launch.function, cancellable=False)
        try:
            debuggee = Debuggee(launch, self._client, self._tell)
        finally:
            self._end_progress()
        debuggee.session.on_step = self._before_prediction
        self._debuggee = debuggee

        def begin() -> None:
            self._tell("initialized", {})
            debuggee.welcome()

        return Reply(then=begin)

    def _before_prediction(self, known: int) -> bool:
        """Whether a move may go on."""
        while (other := self._inbox.take_one_of(_AT_ANY_TIME)) is not None:
            self._serve(other)
        current, debuggee = self._current, self._debuggee
        if current is None or debuggee is None:
            return True
        session = debuggee.session
        message = f"step {known}, {session.spent} of {session.budget} tokens"
        self._show(current, "predicting", message, session.spent / max(session.budget, 1))
        return current.number > self._halted

    def _show(
        self, request: Request, title: str, message: str, share: float | None = None, *, cancellable: bool = True
    ) -> None:
        """Shows how far a request is, to a client that draws it."""
        if self._client.reports_progress:
            self._progress = self._progress or Progress(self._tell, request, title, cancellable=cancellable)
            self._progress.update(message, share)

    def _end_progress(self) -> None:
        if self._progress is not None:
            self._progress.end()
            self._progress = None

    # -- sending, to a client that has not said goodbye -----------------------------------------------

    def _tell(self, event: str, body: dict[str, Any]) -> None:
        if not self._is_over:
            self._connection.event(event, body)

    def _respond(self, request: Request, body: dict[str, Any] | None) -> None:
        if not self._is_over:
            self._connection.respond(request, body)

    def _refuse(self, request: Request, message: str) -> None:
        if not self._is_over:
            self._connection.refuse(request, message, show=request.command in ("launch", "attach"))
