r"""From a program's source and the text of a call to a recorded Trace, in this process.

    trace = record_program("def f(x):\\n    return x + 1\\n", "f", "41")
    trace.result                                                        # '42'

For child processes (`foretrace.record.child`) and trusted code: what the program does, it does to this process.
"""

import collections
import difflib
import itertools
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from foretrace.errors import RecordError, UsageError
from foretrace.record.budget import Alarms, Stop
from foretrace.record.session import Session, open_session
from foretrace.trace import Limits, Trace, read_binary

_numbers = itertools.count(1)


def record_program(
    source: str, entry: str, arguments: str, limits: Limits | None = None, *, native: bool | None = None
) -> Trace:
    """Runs `entry(arguments)` of `source` in this process and records it.

    Args:
        entry: name of a function or `Class.method` of the module.
        arguments: text of the argument list, such as `"'abc', k=[1]"`, evaluated in the module's namespace.
        native: see `open_session`.

    Raises:
        UsageError: the source or the arguments do not parse, the function is missing, or the arguments do not bind.
        RecordError: running the module's top level, or evaluating the arguments, raised.

    """
    data, error = recorded_bytes(source, entry, arguments, limits or Limits(), native=native)
    trace = next(read_binary(data), None)
    if trace is None:
        raise nothing_recorded(entry, error)
    return replace(trace, header=replace(trace.header, path="<string>"))


def recorded_bytes(
    source: str, entry: str, arguments: str, limits: Limits, *, native: bool | None = None
) -> tuple[bytes, BaseException | None]:
    """`record_program` for who hands the bytes on; beside them what the program raised. There may be no trace in them."""
    filename = f"<foretrace-{next(_numbers)}>"
    namespace = load_module(source, filename)
    function = find_function(namespace, entry)
    args, kwargs = evaluate_arguments(arguments, namespace)
    out, lines = bytearray(), source.split("\n")
    session = open_session({filename: lines}.get, limits, entry=entry, output=out, native=native)
    error = call(session, limits, function, *args, **kwargs)
    return bytes(out), error


def call(
    session: Session, limits: Limits, function: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> BaseException | None:
    """Calls `function` under a recorder and within its budgets of time; returns what it raised, if anything.

    A generator that it returns is exhausted, a coroutine is run: to call one is to run none of it.
    """
    alarms = Alarms()
    try:
        return call_within(alarms, session, limits, partial(function, *args, **kwargs))
    finally:
        alarms.remove()


def call_within(alarms: Alarms, session: Session, limits: Limits, run: Callable[[], Any]) -> BaseException | None:
    """`call` with alarms that are installed already: for many calls, one after the other."""

    def ring(which: str) -> None:
        if not session.is_busy:  # else it rings again at once
            session.fill(which)

    raised: BaseException | None = None
    alarms.ring = ring
    session.start()
    try:
        try:
            alarms.start(limits)
            exhaust(run())
        except BaseException as error:  # the program's, whatever it is: it becomes the outcome
            raised = error
        alarms.stop()  # it must not ring while recording stops
    except Stop as stop:  # it rang between the program's last step and our first
        raised = stop
        alarms.stop()
    finally:
        session.stop()
    return raised


def exhaust(result: object) -> None:
    """Runs what a generator function or a coroutine function returned to its end."""
    if isinstance(result, types.GeneratorType):
        collections.deque(result, maxlen=0)
    elif isinstance(result, types.CoroutineType | types.AsyncGeneratorType):
        import asyncio  # slow to import, and seldom needed

        asyncio.run(result if isinstance(result, types.CoroutineType) else _exhaust_async(result))


async def _exhaust_async(generator: types.AsyncGeneratorType[Any, Any]) -> None:
    async for _ in generator:
        pass


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
    return compile_arguments(arguments, namespace)()


def compile_arguments(arguments: str, namespace: dict[str, Any]) -> Callable[[], tuple[tuple[Any, ...], dict[str, Any]]]:
    """What makes the values of an argument list, new ones each time.

    Raises:
        UsageError: it does not parse.

    """

    def collect(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return args, kwargs

    try:
        code = compile(f"__collect__({arguments}\n)", "<arguments>", "eval", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        told = error.msg if isinstance(error, SyntaxError) else error
        raise UsageError(f"the arguments do not parse: {arguments!r} ({told})") from error
    return partial(_evaluate, code, {**namespace, "__collect__": collect})


def _evaluate(code: types.CodeType, names: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    try:
        result: tuple[tuple[Any, ...], dict[str, Any]] = eval(code, names)
    except Exception as error:
        raise RecordError(f"evaluating the arguments raised {type(error).__name__}: {error}") from error
    return result


def nothing_recorded(entry: str, error: BaseException | None) -> UsageError | RecordError:
    """Why nothing was recorded: the arguments did not bind, or the function is not one of the source."""
    if isinstance(error, TypeError):
        return UsageError(f"the arguments do not bind: {error}")
    return RecordError(f"{entry} is not a Python function of the source: nothing was recorded")
