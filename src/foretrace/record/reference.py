r"""The reference recorder: `sys.settrace` in pure Python, the specification of what a trace is.

    recorder = Recorder({"<program>": source.split("\\n")}, Limits())
    error = recorder.run(function, 41)                                  # what it raised, or None
    recorder.frames                                                     # `record/program.py` makes a Trace of them

It runs the program in *this* process and is meant for child processes (`foretrace.record.child`) and trusted code.
Semantics: `docs/trace-format.md`, section 1. A budget that runs out raises `Stop` in the traced program at this and every
further event, so that no handler keeps it alive.
"""

import ast
import collections
import dis
import gc
import os
import signal
import sys
import threading
import types
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from foretrace.record.values import Renderer
from foretrace.trace import Event, Frame, Limits

_NOISE = (StopIteration, StopAsyncIteration, GeneratorExit)
_SUSPENDING = frozenset({"YIELD_VALUE", "SEND", "YIELD_FROM", "RESUME"})
"""Instructions at which a scope stands when it is suspended; RESUME from 3.13 on."""
_HIDDEN = frozenset({".0"})


@lru_cache(maxsize=4096)
def _opcodes(code: types.CodeType) -> bytes:
    return code.co_code


def _instruction(code: types.CodeType, at: int) -> str:
    """Name of the instruction at byte offset `at`."""
    return dis.opname[_opcodes(code)[at]] if at >= 0 else ""


def _exhaust(result: object) -> None:
    """Runs what a generator function or a coroutine function returned to its end."""
    if isinstance(result, types.GeneratorType):
        collections.deque(result, maxlen=0)
    elif isinstance(result, types.CoroutineType | types.AsyncGeneratorType):
        import asyncio  # slow to import, and seldom needed

        asyncio.run(result if isinstance(result, types.CoroutineType) else _exhaust_async(result))


async def _exhaust_async(generator: types.AsyncGeneratorType[Any, Any]) -> None:
    async for _ in generator:
        pass


def _unwrapped(value: Any) -> Any:
    """What an asynchronous generator yields, out of the object that the interpreter wraps it in."""
    return gc.get_referents(value)[0] if type(value).__name__ == "async_generator_wrapped_value" else value


_recording: "list[Recorder]" = []


def _silence_copies() -> None:
    """In a forked child: the trace, the pipe and the budgets are the parent's."""
    for recorder in _recording:
        recorder.forked, recorder.sink = True, None
        sys.settrace(None)
        threading.settrace(None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_silence_copies)


class Stop(BaseException):
    """A budget ran out."""


@dataclass(slots=True)
class _Activation:
    """What must be known of a running scope between its events."""

    raised: str = ""
    """Text of the last exception seen in it."""
    unwinding: bool = False
    """Whether the last event was an exception."""
    frame: int = -1
    """Index of that exception's frame in the trace, -1 if none was written."""
    closing: list[Frame] = field(default_factory=list)
    """The frames of a generator's closing; written only if a line of it runs then."""


class Recorder:
    """Collects the frames of one call on one thread, for code whose file is in the context."""

    def __init__(
        self,
        files: dict[str, list[str]],
        limits: Limits,
        renderer: Renderer | None = None,
        sink: Callable[[Frame], None] | None = None,
        on_stop: Callable[[str], None] | None = None,
    ) -> None:
        """Makes a recorder.

        Args:
            files: source lines by file name, the context.
            sink: is given every frame as soon as it is final.
            on_stop: is called when a budget runs out, in place of raising `Stop`; it may end the process.

        """
        self.files, self.limits, self.sink, self.on_stop = files, limits, sink, on_stop
        self._sent = 0
        self.renderer = renderer or Renderer()
        self.frames: list[Frame] = []
        self.stopped = ""
        self.other_threads = 0
        self.forked = False
        """Whether this is a forked copy of the recorder: it records nothing, the parent's goes on."""
        self._sending = False
        self._depth = self._deepest = -1
        self._def_lines: dict[str, dict[int, int]] = {}
        self._bytes = 0
        self._activations: dict[int, _Activation] = {}
        self._suspended: set[int] = set()
        self._entry: int | None = None
        """Identity of the entry scope; 0 once it was left: destructors and closed generators are no part of the trace."""

    def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> BaseException | None:
        """Calls `function` under the recorder; returns what it raised, if anything.

        A generator that it returns is exhausted, a coroutine is run: to call one is to run none of it.
        """
        previous, raised = sys.gettrace(), None
        _recording.append(self)
        threading.settrace(self._foreign)
        sys.settrace(self._enter)
        try:
            _exhaust(function(*args, **kwargs))
        except BaseException as error:  # the program's, whatever it is: it becomes the outcome
            sys.settrace(None)
            raised = error
        finally:
            sys.settrace(previous)
            threading.settrace(None)
            _recording.remove(self)
        if self._entry and not self.stopped:  # entered and not seen to be left
            deep = self._deepest > sys.getrecursionlimit() // 2  # the recorder's own calls no longer fitted the stack
            self.stopped = "recursion" if deep else "the program replaced the trace function"
        return raised

    def flush(self) -> None:
        """Gives the frames not yet sent to the sink."""
        if self.sink:
            self._sending = True
            try:
                for frame in self.frames[self._sent :]:
                    self.sink(frame)
            finally:
                self._sent, self._sending = len(self.frames), False

    def arm(self, seconds: float) -> None:
        """Stops the program after `seconds`, again and again in case a handler swallowed it; main thread only."""
        signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, seconds, 0.05)

    def disarm(self) -> None:
        """Ends `arm`."""
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
        finally:  # an alarm that rang just now must not keep the next one armed
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def _ring(self, *_: object) -> None:
        if not self._sending:  # half a frame must not be left in the sink: it rings again at once
            self._stop("time")

    def _stop(self, why: str) -> None:
        self.stopped = self.stopped or why
        if self.on_stop:
            self.on_stop(self.stopped)
        raise Stop(self.stopped)

    # -- events --------------------------------------------------------------------------------------

    def _foreign(self, frame: types.FrameType, event: str, argument: Any) -> None:
        self.other_threads += 1
        sys.settrace(None)

    def _enter(self, frame: types.FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        code = frame.f_code
        if code.co_filename not in self.files or event != "call" or self._entry == 0:
            return None
        self._check()
        self._depth += 1
        self._deepest = max(self._deepest, self._depth)
        key = id(frame)
        self._entry = self._entry or key
        resumed = key in self._suspended
        self._suspended.discard(key)
        self._activations[key] = _Activation()
        self._emit(Event.CALL, frame, locals=self._locals(frame), resumed=resumed)
        return self._step

    def _step(self, frame: types.FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        self._check()
        activation = self._activations.get(id(frame))
        if activation is None:
            return self._step
        if event == "line":
            activation.unwinding = False
            self._write_closing(activation)
            self._emit(Event.LINE, frame, locals=self._locals(frame))
        elif event == "exception":
            self._exception(frame, argument, activation)
        elif event == "return":
            self._leave(frame, argument, activation)
        return self._step

    def _exception(self, frame: types.FrameType, argument: Any, activation: _Activation) -> None:
        kind, value, _ = argument
        activation.raised = self._error(kind, value)
        activation.unwinding = not issubclass(kind, (StopIteration, StopAsyncIteration))  # an await that is done stays here
        if issubclass(kind, GeneratorExit) and self.frames[-1].resumed:
            activation.closing = [self.frames.pop(), self._frame(Event.EXCEPTION, frame, value=activation.raised)]
        elif not issubclass(kind, _NOISE) or self._line(frame).lstrip().startswith("raise"):
            activation.frame = len(self.frames)
            self._emit(Event.EXCEPTION, frame, value=activation.raised)

    def _leave(self, frame: types.FrameType, value: Any, activation: _Activation) -> None:
        """A return event: a return, a yield, or, told by the instruction that it stands at, an exception passing."""
        key = id(frame)
        del self._activations[key]
        instruction = _instruction(frame.f_code, frame.f_lasti)
        if activation.closing:
            pass
        elif instruction.startswith("RETURN"):
            self._emit(Event.RETURN, frame, value=self.renderer.render(value))
        elif instruction in _SUSPENDING and not activation.unwinding:
            self._suspended.add(key)
            self._emit(Event.RETURN, frame, value=self.renderer.render(_unwrapped(value)), suspended=True)
        elif activation.frame == len(self.frames) - 1 and activation.frame >= 0:
            self.frames[-1] = replace(self.frames[-1], unwind=True)
        else:  # raised again after a handler or a `finally` ran
            self._emit(Event.EXCEPTION, frame, value=activation.raised, unwind=True)
        self._depth -= 1
        if key == self._entry and key not in self._suspended:
            self._entry = 0

    def _write_closing(self, activation: _Activation) -> None:
        """Writes what was held back of a generator's closing: a handler runs."""
        if activation.closing:
            self.flush()
            activation.frame = len(self.frames) + 1
            self.frames += activation.closing
            activation.closing = []

    # -- frames --------------------------------------------------------------------------------------

    def _emit(
        self,
        event: Event,
        frame: types.FrameType,
        locals: dict[str, str] | None = None,
        value: str | None = None,
        unwind: bool = False,
        suspended: bool = False,
        resumed: bool = False,
    ) -> None:
        self.flush()  # what stands before is final now, an exception's `unwind` included
        made = self._frame(event, frame, locals, value)
        if unwind or suspended or resumed:
            made = replace(made, unwind=unwind, suspended=suspended, resumed=resumed)
        self.frames.append(made)
        self._bytes += len(made.source) + len(value or "") + sum(map(len, (locals or {}).values()))

    def _frame(
        self, event: Event, frame: types.FrameType, locals: dict[str, str] | None = None, value: str | None = None
    ) -> Frame:
        code = frame.f_code
        line = frame.f_lineno or code.co_firstlineno
        if event is Event.CALL:
            line = self._def_line(code, line)
        lines = self.files[code.co_filename]
        source = lines[line - 1] if 0 < line <= len(lines) else ""
        return Frame(event, code.co_qualname, self._depth, line, source, locals, value)

    def _def_line(self, code: types.CodeType, line: int) -> int:
        """A decorated function starts at its decorator; the call is shown at its `def`."""
        known = self._def_lines.get(code.co_filename)
        if known is None:
            known = self._def_lines[code.co_filename] = _decorated(self.files[code.co_filename])
        return known.get(line, line)

    def _line(self, frame: types.FrameType) -> str:
        lines = self.files[frame.f_code.co_filename]
        return lines[frame.f_lineno - 1] if 0 < (frame.f_lineno or 0) <= len(lines) else ""

    def _locals(self, frame: types.FrameType) -> dict[str, str]:
        """The state, in the interpreter's order. Rendering is switched off from tracing by the interpreter itself."""
        code = frame.f_code
        found = frame.f_locals
        render = self.renderer.render
        if not code.co_flags & 0x1:  # CO_OPTIMIZED is absent: a class body or a module, whose locals are a namespace
            names = [n for n in found if type(n) is str and not (n.startswith("__") and n.endswith("__"))]
        else:
            names = [*code.co_varnames, *(n for n in code.co_cellvars if n not in code.co_varnames), *code.co_freevars]
        return {name: render(found[name]) for name in names if name in found and name not in _HIDDEN}

    def _error(self, kind: type, value: Any) -> str:
        if isinstance(value, BaseException):
            return self.renderer.render(value)
        return f"{kind.__name__}({'' if value is None else self.renderer.render(value)})"

    def _check(self) -> None:
        """Stops when a budget is spent, and at every event from then on."""
        if self.stopped:
            self._stop(self.stopped)
        if len(self.frames) >= self.limits.max_events:
            self._stop("events")
        if self._bytes >= self.limits.max_bytes:
            self._stop("bytes")


def _decorated(lines: list[str]) -> dict[int, int]:
    """First decorator's line to the line of the `def` or `class`."""
    try:
        nodes = list(ast.walk(ast.parse("\n".join(lines))))
    except (SyntaxError, ValueError, RecursionError):
        return {}
    definitions = [n for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    return {n.decorator_list[0].lineno: n.lineno for n in definitions if n.decorator_list}
