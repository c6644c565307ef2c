r"""The reference recorder: `sys.settrace` in pure Python, the specification of what a trace is.

    recorder = ReferenceRecorder(lambda name: lines if name == "<program>" else None, BinaryWriter(out.extend), Limits())
    recorder.start()
    function(41)
    recorder.stop()

It records *this* process and is meant for child processes (`foretrace.record.child`) and trusted code. The recorder in C
(`record/_recorder`) writes the same bytes, faster. Semantics: `docs/trace-format.md`, section 1.
"""

import dis
import gc
import os
import sys
import threading
import types
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Protocol

from foretrace.record.budget import Stop, WhenFull
from foretrace.record.scope import Sampler, def_line
from foretrace.record.values import HEAP_TYPE, Renderer, ValueLimits, type_flags, type_name
from foretrace.trace import Event, Frame, Limits, Outcome

_SUSPENDING = frozenset({"YIELD_VALUE", "SEND", "YIELD_FROM", "RESUME", "RETURN_GENERATOR"})
"""Instructions at which a scope stands when it is suspended; RESUME from 3.13 on. RETURN_GENERATOR: it has not started."""
_RETURNING = frozenset({"RETURN_VALUE", "RETURN_CONST"})
_CONSUMING = frozenset({"FOR_ITER", "SEND", "END_FOR", "END_SEND", "END_ASYNC_FOR"})
"""Instructions that take the end of an iterator for an end, not for an error."""
_SUSPENDABLE_TYPES = (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType)
_CACHE = 0
_HIDDEN = (".", "@")
"""What names start with that are the compiler's own, or a rewriter's."""
_OPTIMIZED, _GENERATOR, _SUSPENDABLE = 0x1, 0x20, 0x2A0  # flags of a code object


class Writer(Protocol):
    """What becomes of the frames: `trace.BinaryWriter` or `trace.WireWriter`."""

    def begin(self) -> None:
        """A trace starts."""

    def frame(self, frame: Frame, path: str, lines: list[str], key: int = 0) -> None:
        """A frame of the file `path`, whose source is `lines`, is final; `key` tells scopes that are suspended apart."""

    def forget(self, key: int) -> None:
        """A scope that was suspended cannot go on: `key` is another's now."""

    def end(self, outcome: Outcome, detail: str, threads: int) -> None:
        """The trace ends."""


_Pending = tuple[Frame, str, list[str], int]
"""What the writer is given."""


@dataclass(slots=True, eq=False)
class _Activation:
    """A running scope."""

    frame: types.FrameType
    is_hidden: bool = False
    """Nothing is recorded until it is left: too deep, or not stepped into."""
    namespace: object = None
    """Of a class body or a module: the mapping that holds its names."""
    raised: str = ""
    """Text of the exception that would leave it now."""
    unwinding: bool = False
    """Whether the last event was an exception."""
    resumed_at: int = -1
    """Offset of the instruction at which it went on, if no line of it has begun since."""
    last_raised: int = -1
    """Number of that exception's frame in the trace, -1 if none was written."""
    held: list[Frame] = field(default_factory=list)
    """The frames of a generator's closing; written only if a line of it runs then."""


class ReferenceRecorder:
    """Records what happens on this thread, for code whose file is in scope, from `start` to `stop`."""

    def __init__(
        self,
        lines_of: Callable[[str], list[str] | None],
        writer: Writer,
        limits: Limits,
        *,
        many: bool = False,
        depth: int = 0,
        step_in: float = 1.0,
        seed: int = 0,
        when_full: WhenFull = "raise",
        value_limits: ValueLimits | None = None,
    ) -> None:
        """Makes a recorder.

        Args:
            lines_of: the source lines of a file name that is in scope, all with a newline (`linecache`) or all without
                (`split`); `None` for others. Asked once a name.
            many: every outermost call is a trace; otherwise the first one is, and nothing is recorded after it.
            depth: calls more than that many levels below the entry are not recorded; 0: all are.
            step_in: probability that a call below the entry is recorded (CWM report, section 2.2).
            when_full: what happens when a budget runs out: `raise` raises `Stop` at this and every further event, so that
                no handler keeps the program alive; `exit` ends the process; `mute` leaves the rest of the call unseen.

        """
        self.limits, self.writer, self.many, self.depth, self.when_full = limits, writer, many, depth, when_full
        self.stopped = ""
        """Which budget ran out, if one did."""
        self.is_open = self.is_busy = False
        self.threads = self.traces = self.events = 0
        self._lines_of, self._files = lines_of, dict[str, list[str] | None]()
        self._sampler = Sampler(step_in, seed)
        self._renderer = Renderer(value_limits)
        self._previous: Any = None
        self._stack: list[_Activation] = []
        self._entry = 0
        """Identity of the entry scope."""
        self._is_over = False
        self._frames = self._bytes = 0
        self._depth = self._deepest = -1
        self._pending: _Pending | None = None
        """The last frame, which the next event could still change."""
        self._before: _Pending | None = None
        """The frame before, if the last one is a generator's resumption, which may be taken back."""

    def start(self) -> None:
        """Starts recording on this thread."""
        self._previous = sys.gettrace()
        threading.settrace(self._foreign)
        sys.settrace(self._enter)
        _recording.add(self)

    def stop(self) -> None:
        """Stops recording; a trace that is open ends as truncated."""
        was_replaced = sys.gettrace() != self._enter
        sys.settrace(self._previous)
        threading.settrace(None)
        _recording.discard(self)
        if self.is_open:
            deep = self._deepest > sys.getrecursionlimit() // 2  # the recorder's own calls no longer fitted the stack
            why = "the program replaced the trace function" if was_replaced else "the entry function was not left"
            self._end(Outcome.TRUNCATED, "recursion" if deep else why)
        self._is_over, self._stack = True, []  # frames that were entered keep their trace function

    def fill(self, why: str) -> None:
        """Does what happens when a budget has run out, `why` says which.

        Raises:
            Stop: if `when_full` is `raise`.

        """
        if self.is_open:
            self._end(Outcome.TRUNCATED, why)
        if self.when_full == "mute":
            for activation in self._stack:
                activation.is_hidden = True
            return
        self.stopped = self.stopped or why
        if self.when_full == "exit":
            os._exit(0)
        raise Stop(self.stopped)

    def silence(self) -> None:
        """In a forked child: the trace and the budgets are the parent's."""
        self._is_over, self.is_open, self._pending, self._before = True, False, None, None
        sys.settrace(None)
        threading.settrace(None)

    # -- events --------------------------------------------------------------------------------------

    def _foreign(self, frame: types.FrameType, event: str, argument: Any) -> None:
        self.threads += 1
        sys.settrace(None)

    def _enter(self, frame: types.FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        code = frame.f_code
        if event != "call" or self._lines(code.co_filename) is None:
            return None
        if self.stopped:
            raise Stop(self.stopped)
        if self._is_over:
            return None
        self._forget(frame)
        if self._stack and self._stack[-1].is_hidden:
            return None
        self.is_busy = True
        try:
            return self._call(_Activation(frame), code)
        finally:
            self.is_busy = False

    def _forget(self, frame: types.FrameType) -> None:
        """A scope that is entered for the first time is not the suspended one that was at its place."""
        if frame.f_code.co_flags & _SUSPENDABLE and not _is_resumed(frame):
            key = id(frame)
            last = (self._before, self._pending)
            self._before, self._pending = (p and (*p[:3], 0 if p[3] == key else p[3]) for p in last)
            self.writer.forget(key)

    def _call(self, activation: _Activation, code: types.CodeType) -> Callable[..., Any] | None:
        if self._entry:
            self._check()
            if not self.is_open:  # the budget has just run out
                return None
            too_deep = self.depth and self._depth >= self.depth
            activation.is_hidden = id(activation.frame) != self._entry and (bool(too_deep) or not self._sampler.draw())
        else:
            self._begin(activation)
        self._stack.append(activation)
        if not activation.is_hidden:
            if len(self._stack) > 1:
                self._release(self._stack[-2])
            self._depth += 1
            self._deepest = max(self._deepest, self._depth)
            if not code.co_flags & _OPTIMIZED:  # a class body or a module
                activation.namespace = activation.frame.f_locals
            resumed = _is_resumed(activation.frame)
            activation.resumed_at = activation.frame.f_lasti if resumed else -1
            self._emit(Event.CALL, activation.frame, locals=self._locals(activation), resumed=resumed)
        return self._step

    def _step(self, frame: types.FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        if self.stopped:
            raise Stop(self.stopped)
        activation = self._stack[-1] if self._stack else None
        if activation is None or activation.frame is not frame:
            return self._step
        self.is_busy = True
        try:
            if not activation.is_hidden:
                self._check()
            if activation.is_hidden:
                if event == "return":
                    self._leave_hidden(activation)
            elif event == "line":
                activation.unwinding, activation.resumed_at = False, -1
                self._release(activation)
                self._handled(activation)
                self._emit(Event.LINE, frame, locals=self._locals(activation))
            elif event == "exception":
                self._exception(frame, argument, activation)
            elif event == "return":
                self._leave(frame, argument, activation)
        finally:
            self.is_busy = False
        return self._step

    def _exception(self, frame: types.FrameType, argument: Any, activation: _Activation) -> None:
        kind, value, _ = argument
        instruction = _instruction(frame)
        ends_iteration = issubclass(kind, (StopIteration, StopAsyncIteration)) and instruction in _CONSUMING
        activation.unwinding = not ends_iteration  # an await that is done stays here
        if ends_iteration:
            return
        self._renderer.begin()
        activation.raised = self._error(kind, value)
        if issubclass(kind, GeneratorExit) and instruction in _SUSPENDING:
            if self._pending and self._pending[0].resumed:
                self._take_back(activation, self._frame(Event.EXCEPTION, frame, value=activation.raised))
        else:
            self._release(activation)
            self._emit(Event.EXCEPTION, frame, value=activation.raised)
            activation.last_raised = self._frames

    def _handled(self, activation: _Activation) -> None:
        """In a handler or a `finally`: what leaves the scope if nothing else is raised before, which no event says."""
        if _instruction(activation.frame) == "PUSH_EXC_INFO":  # the handler of the exception just raised is entered
            return
        handled = sys.exc_info()[1]
        if handled is not None:
            self._renderer.begin()
            activation.raised = self._renderer.render(handled)

    def _leave(self, frame: types.FrameType, value: Any, activation: _Activation) -> None:
        """A return event: a return, a yield, or, told by the instruction that it stands at, an exception passing."""
        instruction, outcome = _instruction(frame), Outcome.RETURNED
        suspended = False
        if activation.held:
            suspended = False
        elif instruction in _RETURNING:
            self._emit_value(frame, value)
        elif instruction in _SUSPENDING and _is_yielding(frame, value, activation):
            suspended = True
            self._emit_value(frame, _unwrapped(value), suspended=True)
        else:
            outcome = Outcome.RAISED
            if self._pending and activation.last_raised == self._frames:
                last, path, lines, key = self._pending
                self._pending = replace(last, unwind=True), path, lines, key
            else:  # raised again after a handler or a `finally` ran
                self._emit(Event.EXCEPTION, frame, value=activation.raised, unwind=True)
        self._depth -= 1
        self._stack.pop()
        ends_here = not suspended or (self.many and frame.f_code.co_flags & _GENERATOR)
        if id(frame) == self._entry and ends_here:
            self._end(outcome)

    def _leave_hidden(self, activation: _Activation) -> None:
        self._stack.pop()
        if not self.is_open and not self._stack:
            self._entry = 0

    def _take_back(self, activation: _Activation, raised: Frame) -> None:
        """Holds back a generator's resumption, and the exception that closes it."""
        assert self._pending is not None
        activation.held = [self._pending[0], raised]
        self._pending, self._before = self._before, None
        self._count(activation.held[0], -1)

    def _release(self, activation: _Activation) -> None:
        """Writes what was held back of a generator's closing: a handler runs."""
        if activation.held:
            path = activation.frame.f_code.co_filename
            lines = self._lines(path) or []
            for frame in activation.held:
                self._push(frame, path, lines, id(activation.frame))
            activation.last_raised, activation.held = self._frames, []

    # -- traces --------------------------------------------------------------------------------------

    def _begin(self, activation: _Activation) -> None:
        self._entry, self.is_open = id(activation.frame), True
        self._frames = self._bytes = 0
        self._depth = self._deepest = -1
        self.traces += 1
        self.writer.begin()

    def _end(self, outcome: Outcome, detail: str = "") -> None:
        self.flush()
        self.writer.end(outcome, detail, self.threads)
        self.is_open = False
        if not self._stack:
            self._entry = 0
        self._is_over = not self.many

    def _check(self) -> None:
        """Acts when a budget is spent."""
        if self._frames >= self.limits.max_events:
            self.fill("events")
        elif self._bytes >= self.limits.max_bytes:
            self.fill("bytes")

    # -- frames --------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Writes the last frames, which the next event could still have changed."""
        pending, self._before, self._pending = (self._before, self._pending), None, None
        for frame in filter(None, pending):
            try:
                self.writer.frame(*frame)
            except OSError:  # the output is full, or closed
                self.is_open = False
                self.fill("output")

    def _emit_value(self, frame: types.FrameType, value: Any, suspended: bool = False) -> None:
        self._renderer.begin()
        self._emit(Event.RETURN, frame, value=self._renderer.render(value), suspended=suspended)

    def _emit(self, event: Event, frame: types.FrameType, **content: Any) -> None:
        made = self._frame(event, frame, **content)
        path = frame.f_code.co_filename
        self._push(made, path, self._lines(path) or [], id(frame))

    def _push(self, made: Frame, path: str, lines: list[str], key: int) -> None:
        if made.resumed and self._before is None:
            self._before, self._pending = self._pending, None
        else:
            self.flush()  # what stands before is final now, an exception's `unwind` included
        self._pending = made, path, lines, key
        self._count(made)

    def _count(self, made: Frame, sign: int = 1) -> None:
        self._frames += sign
        self.events += sign
        self._bytes += sign * (len(made.source) + len(made.value or "") + sum(map(len, made.state.values())))

    def _frame(self, event: Event, frame: types.FrameType, **content: Any) -> Frame:
        code = frame.f_code
        line = frame.f_lineno or code.co_firstlineno
        lines = self._lines(code.co_filename) or []
        if event is Event.CALL:
            line = def_line(lines, line)
        source = lines[line - 1] if 0 < line <= len(lines) else ""
        return Frame(event, code.co_qualname, self._depth, line, source, **content)

    def _lines(self, name: str) -> list[str] | None:
        if name not in self._files:
            lines = self._lines_of(name)
            if lines and lines[-1].endswith("\n"):
                lines = [*lines, ""]
            self._files[name] = lines and [line.removesuffix("\n") for line in lines]
        return self._files[name]

    def _locals(self, activation: _Activation) -> dict[str, str]:
        """The state, in the interpreter's order. Rendering is switched off from tracing by the interpreter itself."""
        self._renderer.begin()
        code, render = activation.frame.f_code, self._renderer.render
        if code.co_flags & _OPTIMIZED:
            found: Any = activation.frame.f_locals
            names = [*code.co_varnames, *(n for n in code.co_cellvars if n not in code.co_varnames), *code.co_freevars]
            return {name: render(found[name]) for name in names if name in found and not name.startswith(_HIDDEN)}
        space: Any = activation.namespace
        is_dict = issubclass(type(space), dict)  # whatever class it says it is
        items: dict[Any, Any] = dict(dict.items(space)) if is_dict else {}
        if code.co_varnames and (found := activation.frame.f_locals) is not space:
            # a comprehension runs inline, from 3.12 on
            names = [n for n in code.co_varnames if not n.startswith(_HIDDEN) and n not in code.co_freevars]
            items |= {name: found[name] for name in names if name in found}
        shown = [n for n in items if type(n) is str and not (n.startswith("__") and n.endswith("__"))]
        return {name: render(items[name]) for name in shown}

    def _error(self, kind: type, value: Any) -> str:
        if issubclass(type(value), BaseException):
            return self._renderer.render(value)
        return f"{type_name(kind)}({'' if value is None else self._renderer.render(value)})"


_recording: set[ReferenceRecorder] = set()


def _silence_copies() -> None:
    for recorder in _recording:
        recorder.silence()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_silence_copies)


@lru_cache(maxsize=4096)
def _opcodes(code: types.CodeType) -> bytes:
    return code.co_code


def _instruction(frame: types.FrameType) -> str:
    """Name of the instruction at which a scope stands, which may be said to stand in that instruction's cache."""
    codes, at = _opcodes(frame.f_code), frame.f_lasti
    while at > 0 and codes[at] == _CACHE:
        at -= 2
    return dis.opname[codes[at]] if at >= 0 else ""


def _is_resumed(frame: types.FrameType) -> bool:
    """Whether a scope that is entered goes on where it was suspended: it starts with `RESUME 0`."""
    at = frame.f_lasti
    return at >= 0 and (_instruction(frame) != "RESUME" or _opcodes(frame.f_code)[at + 1] & 3 != 0)


def _is_yielding(frame: types.FrameType, value: Any, activation: _Activation) -> bool:
    """Whether a scope left at a yield yields there. A `with` that raises again goes back to where it was, too."""
    has_moved = activation.resumed_at not in (-1, frame.f_lasti)
    if value is not None or not (activation.raised or has_moved):
        return True
    owners = [x for x in gc.get_referrers(frame) if isinstance(x, _SUSPENDABLE_TYPES)]
    states = [getattr(owner, kind, None) for owner in owners for kind in ("gi_suspended", "cr_suspended", "ag_suspended")]
    return next((state for state in states if state is not None), not activation.unwinding)


def _unwrapped(value: Any) -> Any:
    """What an asynchronous generator yields, out of the object that the interpreter wraps it in."""
    kind = type(value)
    is_wrapped = not type_flags(kind) & HEAP_TYPE and type_name(kind) == "async_generator_wrapped_value"
    return gc.get_referents(value)[0] if is_wrapped else value
