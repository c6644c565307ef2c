"""Which lines of a module a call runs, at little cost, and an end to calls that have none.

watch = open_watch("<module>", codes)
with watch:
    watch.start(limit=5_000)
    ...                                 # the call
    watch.stop()
watch.lines                             # [2, 3, 2, 3, 4]

Python 3.12 and later tell by `sys.monitoring`, 3.11 by `sys.settrace`. Beyond the limit every line raises `Stop`; as
`sys.settrace` forgets a trace function that raises, a timer goes on raising, in case a handler swallows it. The timers also
end what runs long without running a line. They count this process's CPU time, and as a last resort real time.
"""

import signal
import sys
import threading
from time import process_time
from types import CodeType, FrameType, TracebackType
from typing import Any

_TICK = 0.05
"""Seconds of CPU time after which one call that still runs is looked at again, and ended."""
_QUICK = 0.002
"""Seconds between exceptions once a call has gone beyond its limit."""
_PATIENCE = 2.0
"""Seconds of real time for one call."""
_TOOLS = (4, 3)
_OWN = {__file__, __file__.replace("watch.py", "attempts.py")}


class Stop(BaseException):
    """A call went beyond its limit."""


class Watch:
    """What every kind of watch has: the lines of the last call, and its timers."""

    def __init__(self) -> None:
        self.lines: list[int] = []
        self.limit = 0
        self.timeouts = 0
        """Calls that a timer ended."""
        self._is_running = self._is_late = self._is_over = False
        self._rung = 0.0
        """When a timer rang last, in seconds of CPU time."""
        self._handlers: list[tuple[int, Any]] = []

    def __enter__(self) -> "Watch":
        if threading.current_thread() is threading.main_thread():
            self._handlers = [(n, signal.signal(n, self._ring)) for n in (signal.SIGPROF, signal.SIGALRM)]
            self._rung = process_time()
            signal.setitimer(signal.ITIMER_PROF, _TICK, _TICK)
            signal.setitimer(signal.ITIMER_REAL, _PATIENCE, _PATIENCE)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._is_running = False
        if self._handlers:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in self._handlers:
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def start(self, limit: int) -> None:
        """The call begins."""
        self.lines.clear()
        self.limit = limit
        self._is_late = self._is_over = False
        self._is_running = True

    def stop(self) -> None:
        """The call has ended."""
        self._is_running = False
        if self._is_over and self._handlers:
            self._is_over = False
            signal.setitimer(signal.ITIMER_PROF, _TICK, _TICK)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        """A timer rang: what the last ring found running has run for long enough; so has what kept this one waiting."""
        before, self._rung = self._rung, process_time()
        if not self._is_running:
            self._is_late = False
            return
        is_due = self._is_over or self._is_late or self._rung - before > 3 * _TICK
        self._is_late = True
        if not is_due:
            return
        self.timeouts += not self._is_over
        self._overrun()
        if frame is not None and frame.f_code.co_filename in _OWN:
            self.limit = -1  # not while we are at work: the next line raises
            return
        if frame is not None:
            self._watch_again(frame)
        raise Stop

    def _watch_again(self, frame: FrameType) -> None:
        """A handler in this frame may swallow the exception that is about to be raised: the next line is to raise, too."""

    def _overrun(self) -> None:
        if not self._is_over and self._handlers:
            signal.setitimer(signal.ITIMER_PROF, _QUICK, _QUICK)
        self._is_over = True


class TraceWatch(Watch):
    """By `sys.settrace`."""

    def __init__(self, filename: str) -> None:
        super().__init__()
        self._filename = filename
        append, lines = self.lines.append, self.lines

        def local(frame: FrameType, event: str, _arg: object) -> Any:
            if event == "line":
                append(frame.f_lineno)
                if len(lines) > self.limit:
                    self._overrun()
                    raise Stop
            return local

        def enter(frame: FrameType, _event: str, _arg: object) -> Any:
            return local if frame.f_code.co_filename == filename else None

        self._enter, self._local = enter, local

    def _watch_again(self, frame: FrameType) -> None:
        """A handler in this frame may swallow the exception that is about to be raised: the next line is to raise, too."""
        if frame.f_code.co_filename == self._filename:
            frame.f_trace = self._local
            sys.settrace(self._enter)

    def start(self, limit: int) -> None:
        """The call begins."""
        super().start(limit)
        sys.settrace(self._enter)

    def stop(self) -> None:
        """The call has ended."""
        sys.settrace(None)
        super().stop()


if sys.version_info >= (3, 12):

    class MonitoringWatch(Watch):
        """By `sys.monitoring`: only code of the module calls back."""

        def __init__(self, codes: list[CodeType]) -> None:
            super().__init__()
            self._codes = codes
            self._tool = -1
            append, lines = self.lines.append, self.lines

            def line(_code: CodeType, number: int) -> None:
                append(number)
                if len(lines) > self.limit and self._is_running:
                    self._overrun()
                    raise Stop

            def start(code: CodeType, _offset: int) -> None:
                line(code, code.co_firstlineno)

            self._line, self._start = line, start

        def __enter__(self) -> "Watch":
            monitoring = sys.monitoring
            self._tool = next(tool for tool in _TOOLS if monitoring.get_tool(tool) is None)
            monitoring.use_tool_id(self._tool, "foretrace arguments")
            events = monitoring.events
            monitoring.register_callback(self._tool, events.LINE, self._line)
            monitoring.register_callback(self._tool, events.PY_START, self._start)
            for code in self._codes:
                is_silent = sys.version_info >= (3, 13) and _has_one_line(code)
                monitoring.set_local_events(self._tool, code, events.PY_START if is_silent else events.LINE)
            return super().__enter__()

        def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
            super().__exit__(*error)
            for code in self._codes:
                sys.monitoring.set_local_events(self._tool, code, 0)
            for event in (sys.monitoring.events.LINE, sys.monitoring.events.PY_START):
                sys.monitoring.register_callback(self._tool, event, None)
            sys.monitoring.free_tool_id(self._tool)


def _has_one_line(code: CodeType) -> bool:
    """Whether everything is on the line of `def`: Python 3.13 has no event for such a line."""
    return {line for _, _, line in code.co_lines()} <= {code.co_firstlineno, None}


def open_watch(filename: str, codes: list[CodeType]) -> Watch:
    """The best watch of this interpreter."""
    if sys.version_info >= (3, 12) and any(sys.monitoring.get_tool(tool) is None for tool in _TOOLS):
        return MonitoringWatch(codes)
    return TraceWatch(filename)
