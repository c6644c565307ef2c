r"""The reference recorder: `sys.settrace` in pure Python, the specification of what a trace is.

    trace = record_program("def f(x):\\n    return x + 1\\n", "f", "41")
    trace.result                                                        # '42'

It runs the program in *this* process and is meant for child processes (`foretrace.record.child`) and trusted code.
Semantics: `docs/trace-format.md`, section 1. A budget that runs out raises `Stop` in the traced program at this and every
further event, so that no handler keeps it alive.
"""

import ast
import collections
import difflib
import dis
import itertools
import signal
import sys
import threading
import types
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from foretrace.errors import RecordError, UsageError
from foretrace.record.values import Renderer
from foretrace.trace import Event, Frame, Header, Limits, Outcome, Trace

_numbers = itertools.count(1)
_NOISE = (StopIteration, StopAsyncIteration, GeneratorExit)
_SUSPENDING = frozenset({"YIELD_VALUE", "SEND", "YIELD_FROM"})
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
    elif isinstance(result, types.CoroutineType):
        import asyncio  # slow to import, and seldom needed

        asyncio.run(result)
    elif isinstance(result, types.AsyncGeneratorType):
        import asyncio

        async def exhaust() -> None:
            async for _ in result:
                pass

        asyncio.run(exhaust())


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
        self.other_threads: set[int] = set()
        self._thread = threading.get_ident()
        self._depth = -1
        self._bytes = 0
        self._activations: dict[int, _Activation] = {}
        self._suspended: set[int] = set()
        self._entry: int | None = None
        """Identity of the entry scope; 0 once it was left: destructors and closed generators are no part of the trace."""

    def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> BaseException | None:
        """Calls `function` under the recorder; returns what it raised, if anything.

        A generator that it returns is exhausted, a coroutine is run: to call one is to run none of it.
        """
        previous = sys.gettrace()
        threading.settrace(self._foreign)
        sys.settrace(self._enter)
        try:
            _exhaust(function(*args, **kwargs))
        except BaseException as error:  # the program's, whatever it is: it becomes the outcome
            if isinstance(error, RecursionError) and sys.gettrace() is None:
                self.stopped = self.stopped or "recursion"  # the recorder's own calls no longer fitted the stack
            sys.settrace(None)
            return error
        finally:
            lost = sys.gettrace() is None
            sys.settrace(previous)
            threading.settrace(None)
            if lost and not self.stopped and not self._left():
                self.stopped = "the program replaced the trace function"
        return None

    def flush(self) -> None:
        """Gives the frames not yet sent to the sink."""
        if self.sink:
            for frame in self.frames[self._sent :]:
                self.sink(frame)
            self._sent = len(self.frames)

    def arm(self, seconds: float) -> None:
        """Stops the program after `seconds`, again and again in case a handler swallowed it; main thread only."""
        signal.signal(signal.SIGALRM, lambda *_: self._stop("time"))
        signal.setitimer(signal.ITIMER_REAL, seconds, 0.05)

    def disarm(self) -> None:
        """Ends `arm`."""
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
        finally:  # an alarm that rang just now must not keep the next one armed
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def _stop(self, why: str) -> None:
        self.stopped = self.stopped or why
        if self.on_stop:
            self.on_stop(self.stopped)
        raise Stop(self.stopped)

    def _left(self) -> bool:
        """Whether the entry scope's own last frame was recorded."""
        return self._depth < 0

    # -- events --------------------------------------------------------------------------------------

    def _foreign(self, frame: types.FrameType, event: str, argument: Any) -> None:
        self.other_threads.add(threading.get_ident())
        sys.settrace(None)

    def _enter(self, frame: types.FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        code = frame.f_code
        if code.co_filename not in self.files or event != "call" or self._entry == 0:
            return None
        self._check()
        self._depth += 1
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
        activation.raised, activation.unwinding = self._error(kind, value), True
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
        elif instruction in _SUSPENDING or (instruction == "RESUME" and not activation.unwinding):  # RESUME: from 3.13 on
            self._suspended.add(key)
            self._emit(Event.RETURN, frame, value=self.renderer.render(value), suspended=True)
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
        lines = self.files[code.co_filename]
        for at in range(line, min(line + 20, len(lines)) + 1):
            text = lines[at - 1].lstrip()
            if not text.startswith("@"):
                return at if text.startswith(("def ", "async def ", "class ")) else line
        return line

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


def record_program(source: str, entry: str, arguments: str, limits: Limits | None = None) -> Trace:
    """Runs `entry(arguments)` of `source` in this process and records it.

    Args:
        entry: name of a function or `Class.method` of the module.
        arguments: text of the argument list, such as `"'abc', k=[1]"`, evaluated in the module's namespace.

    Raises:
        UsageError: the source or the arguments do not parse, the function is missing, or the arguments do not bind.
        RecordError: running the module's top level, or evaluating the arguments, raised.

    """
    limits = limits or Limits()
    filename = f"<foretrace-{next(_numbers)}>"
    namespace = load_module(source, filename)
    function = find_function(namespace, entry)
    args, kwargs = evaluate_arguments(arguments, namespace)
    lines = source.split("\n")
    recorder = Recorder({filename: lines}, limits)
    error: BaseException | None
    try:
        recorder.arm(limits.seconds)
        try:
            error = recorder.run(function, *args, **kwargs)
        finally:
            recorder.disarm()
    except Stop as stop:  # the alarm rang between the program's last step and our first
        error = stop
    return finish(recorder, error, source=source, entry=entry, limits=limits)


def load_module(source: str, filename: str) -> dict[str, Any]:
    """Compiles and runs the top level of `source`; returns its namespace."""
    try:
        code = compile(source, filename, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        where = f" at line {error.lineno}" if isinstance(error, SyntaxError) else ""
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        raise UsageError(f"the source does not parse{where}: {message}") from error
    module = types.ModuleType("__traced__")
    module.__file__ = filename
    try:
        exec(code, module.__dict__)
    except Exception as error:
        raise RecordError(f"running the top level of the source raised {type(error).__name__}: {error}") from error
    return module.__dict__


def find_function(namespace: dict[str, Any], entry: str) -> Callable[..., Any]:
    """The function called `entry`.

    Raises:
        UsageError: there is none; the message lists those there are.

    """
    first, *rest = entry.split(".")
    found = namespace.get(first)
    for name in rest:
        found = getattr(found, name, None)
    if callable(found):
        return found  # type: ignore[no-any-return]
    names = [n for n, v in namespace.items() if isinstance(v, types.FunctionType)]
    close = difflib.get_close_matches(entry, names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise UsageError(f"no function {entry!r} in the source ({hint}functions: {', '.join(names) or 'none'})")


def evaluate_arguments(arguments: str, namespace: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Values of an argument list, evaluated in `namespace`."""

    def collect(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return args, kwargs

    text = f"__collect__({arguments}\n)"
    try:
        ast.parse(text, mode="eval")
        result: tuple[tuple[Any, ...], dict[str, Any]] = eval(text, {**namespace, "__collect__": collect})
    except SyntaxError as error:
        raise UsageError(f"the arguments do not parse: {arguments!r} ({error.msg})") from error
    except Exception as error:
        raise RecordError(f"evaluating the arguments raised {type(error).__name__}: {error}") from error
    return result


def finish(recorder: Recorder, error: BaseException | None, *, source: str, entry: str, limits: Limits) -> Trace:
    """The trace of a recorder that ran.

    Raises:
        UsageError: the arguments did not bind, so that nothing was entered.

    """
    frames = tuple(recorder.frames)
    if not frames:
        if isinstance(error, TypeError):
            raise UsageError(f"the arguments do not bind: {error}")
        raise RecordError(f"{entry} is not a Python function of the source: nothing was recorded")
    outcome = Outcome.RETURNED if error is None else Outcome.RAISED
    if recorder.stopped:
        outcome = Outcome.TRUNCATED
    header = Header(
        source=source,
        entry=entry,
        arguments=dict(frames[0].state),
        python=".".join(map(str, sys.version_info[:3])),
        limits=limits,
        outcome=outcome,
        detail=recorder.stopped,
        threads_unrecorded=len(recorder.other_threads),
    )
    return Trace(header, frames)
