"""Records one program with each recorder and says where what they wrote differs."""

import gc
import sys
import warnings
from collections.abc import Callable
from typing import Any

from foretrace.record.program import call, evaluate_arguments, find_function, load_module
from foretrace.record.session import Format, open_session
from foretrace.record.values import ValueLimits
from foretrace.trace import Limits, Trace, binary_to_wire
from foretrace.trace.binary import _Reader, read_binary
from foretrace.trace.wire import to_segments, to_text

FILENAME = "<program>"

_LATE = {"closing", "destructors", "exceptions_swallowed_outside"}
"""Up to 3.12 `sys.settrace` keeps the values of locals until the next event: destructors run late, and unseen."""
_CLOBBERED = {"cells_in_comprehensions", "class_bodies", "exec", "namespaces_as_locals"}
"""In 3.12 `sys.settrace` sets the variables of comprehensions to None in class bodies and modules."""
_CRASHING = {"closures", "cells_in_comprehensions"}
"""Of 3.13.0: reading a comprehension's cells from a trace function crashes the interpreter."""
_UNTOLD = {"async_generator_exits"}
"""In 3.11 nothing says whether an asynchronous generator is suspended."""
UNFIT = {(3, 11): _LATE | _UNTOLD, (3, 12): _LATE | _CLOBBERED, (3, 13): _CRASHING}.get(sys.version_info[:2], set())
"""Constructs that `sys.settrace` changes or cannot tell: the reference recorder is no measure for these."""


def recorded(
    source: str,
    native: bool,
    form: Format = "binary",
    *,
    entry: str = "f",
    arguments: str = "",
    as_module: bool = False,
    max_events: int = 20_000,
    lines: list[str] | None = None,
    **options: Any,
) -> bytes:
    """What a recorder writes when `entry(arguments)` runs, or with `as_module` the whole program and then `f()`.

    Args:
        lines: what the recorder is told the source is, if it is not that.

    """
    limits, out = Limits(seconds=30, max_events=max_events, max_bytes=10**9), bytearray()
    run: Callable[[], Any]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if as_module:
            code, space = compile(source, FILENAME, "exec", dont_inherit=True), {"__name__": "module"}
            run = lambda: exec(code, space) or space["f"]()  # type: ignore[operator]  # noqa: E731
        else:
            namespace = load_module(source, FILENAME)
            function, (args, kwargs) = find_function(namespace, entry), evaluate_arguments(arguments, namespace)
            run = lambda: function(*args, **kwargs)  # noqa: E731
        files = {FILENAME: source.split("\n") if lines is None else lines}
        session = open_session(files.get, limits, output=out, form=form, native=native, **options)
        gc.collect()
        gc.disable()  # when garbage is found depends on what was made, also by the recorder
        hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
        try:
            call(session, limits, run)
        finally:
            gc.enable()
            sys.unraisablehook = hook
    return bytes(out)


def difference(source: str, **options: Any) -> str:
    """Where the two recorders, their two forms, or the two readers differ; empty if nowhere."""
    by_form: tuple[Format, Format] = ("binary", "wire")
    gc.freeze()  # what libraries hold, which may be much, is not searched for garbage each time
    try:
        ours, theirs = ([recorded(source, native, form, **options) for form in by_form] for native in (True, False))
    finally:
        gc.unfreeze()
    traces = list(_Reader(theirs[0]).traces(False))
    if ours[0] != theirs[0]:
        return "binary: " + first_difference(list(_Reader(ours[0]).traces(True)), traces)
    if ours[1] != theirs[1]:
        return f"wire: {context(ours[1], theirs[1])}"
    if list(read_binary(ours[0])) != traces:
        return "the reader in C reads other traces"
    text = "".join(to_text(to_segments(trace)) for trace in traces).encode()
    if binary_to_wire(ours[0]) != text:
        return f"the wire of the reader in C: {context(binary_to_wire(ours[0]), text)}"
    return "" if ours[1] == text else f"the wire is not that of the traces: {context(ours[1], text)}"


def first_difference(ours: list[Trace], theirs: list[Trace]) -> str:
    for number, (a, b) in enumerate(zip(ours, theirs, strict=False)):
        for index, (x, y) in enumerate(zip(a.frames, b.frames, strict=False)):
            if x != y:
                names = [n for n in x.__slots__ if getattr(x, n) != getattr(y, n)]
                told = [f"{n}: {context(str(getattr(x, n)), str(getattr(y, n)))}" for n in names]
                return f"trace {number}, frame {index} ({x.source.strip()!r}): {'; '.join(told)}"
        if (len(a.frames), a.header) != (len(b.frames), b.header):
            ends = [(len(t.frames), t.header.outcome, t.header.detail) for t in (a, b)]
            return f"trace {number}: {ends[0]} in C, {ends[1]} by the reference"
    return f"{len(ours)} traces in C, {len(theirs)} by the reference"


def context(ours: Any, theirs: Any) -> str:
    at = next((i for i, (x, y) in enumerate(zip(ours, theirs, strict=False)) if x != y), min(len(ours), len(theirs)))
    a, b = (text[max(0, at - 40) : at + 60] for text in (ours, theirs))
    return f"{a!r} in C, {b!r} by the reference"


def small_limits(number: int) -> ValueLimits:
    """Limits on values; number 0: the usual ones."""
    depth, items, characters = number % 7 + 1, (64, 1, 3, 10)[number % 4], (1000, 5, 40)[number % 3]
    return ValueLimits() if number == 0 else ValueLimits(depth=depth, items=items, characters=characters)
