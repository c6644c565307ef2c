r"""From a program's source and the text of a call to a recorded Trace, in this process.

    trace = record_program("def f(x):\\n    return x + 1\\n", "f", "41")
    trace.result                                                        # '42'

For child processes (`foretrace.record.child`) and trusted code: what the program does, it does to this process.
"""

import ast
import difflib
import itertools
import sys
import types
from collections.abc import Callable
from typing import Any

from foretrace.errors import RecordError, UsageError
from foretrace.record.reference import Recorder, Stop
from foretrace.trace import Header, Limits, Outcome, Trace

_numbers = itertools.count(1)


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
    sys.modules[module.__name__] = module  # where dataclasses look for the module of their annotations
    try:
        exec(code, module.__dict__)
    except SystemExit as error:
        raise RecordError(f"the top level of the source ended the program: SystemExit({error.code!r})") from error
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
        threads_unrecorded=recorder.other_threads,
    )
    return Trace(header, frames)
