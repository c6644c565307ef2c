"""One call of a function with one argument list: what came of it, and which lines it ran."""

import os
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from foretrace.corpus.arguments.terms import Arguments, NotLiteralError, value_of
from foretrace.corpus.arguments.watch import Stop, Watch
from foretrace.record.program import evaluate_arguments

Values = tuple[tuple[Any, ...], dict[str, Any]]
_MAKING = 2_000
"""Lines that making the arguments may run: constructors may run long, too."""
Outcome = Literal["returned", "raised", "cut", "invalid"]


@dataclass(slots=True, eq=False)
class Attempt:
    """What a call did; `cut`: it went beyond a limit, `invalid`: there are no such arguments."""

    arguments: Arguments
    text: str
    outcome: Outcome
    kind: str
    """Of result or exception: its type, and for truth values and containers, which."""
    lines: list[int]
    """Of the module, in the order in which they ran."""
    error: BaseException | None = None
    is_explicit: bool = False
    """Raised by a `raise` or `assert` of the module."""
    is_non_trivial: bool = False

    @property
    def events(self) -> int:
        """Lines that ran."""
        return len(self.lines)


def attempt(
    arguments: Arguments, text: str, function: Callable[..., Any], namespace: dict[str, Any], watch: Watch, limit: int
) -> Attempt:
    """Calls the function."""
    try:
        args, kwargs = _values(arguments, text, namespace, watch)
    except (Exception, Stop, SystemExit) as error:
        return Attempt(arguments, text, "invalid", type(error).__name__, [], error.__cause__ or error)
    pid = os.getpid()
    outcome, kind, raised = _called(function, args, kwargs, watch, limit)
    if os.getpid() != pid:  # the call forked: the child has nothing to explore
        os._exit(0)
    return Attempt(arguments, text, outcome, kind, watch.lines.copy(), raised)


def _values(arguments: Arguments, text: str, namespace: dict[str, Any], watch: Watch) -> Values:
    """Values of an argument list; literals are made without evaluating their text."""
    try:
        return tuple([value_of(x) for x in arguments.positional]), {k: value_of(v) for k, v in arguments.keywords.items()}
    except NotLiteralError:
        pass
    try:
        watch.start(_MAKING)
        return evaluate_arguments(text, namespace)
    finally:
        watch.stop()


def _called(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], watch: Watch, limit: int
) -> tuple[Outcome, str, BaseException | None]:
    try:
        try:
            watch.start(limit)
            result = function(*args, **kwargs)
            kind = _exhausted(result, limit) or kind_of(result)
            watch.stop()
            return "returned", kind, None
        except Stop:
            watch.stop()
            return "cut", "", None
        except BaseException as error:
            watch.stop()
            is_cut = len(watch.lines) > limit  # a handler turned it into something else
            if is_cut or isinstance(error, MemoryError):
                return "cut", "" if is_cut else "MemoryError", None
            return "raised", type(error).__name__, error
    except Stop:  # it rang while an ending was being dealt with
        watch.stop()
        return "cut", "", None


def _exhausted(result: object, limit: int) -> str:
    """Runs what a generator function or a coroutine function returned to its end; says what it was."""
    if isinstance(result, types.GeneratorType):
        count = 0
        for _ in result:  # `yield from repeat(1)` runs no line: what is yielded is counted
            count += 1
            if count > limit:
                raise Stop
        return "generator" if count else "generator of nothing"
    if isinstance(result, types.CoroutineType):
        import asyncio  # slow to import, and seldom needed

        return kind_of(asyncio.run(result))
    return ""


def kind_of(result: object) -> str:
    """The type of a result; which one for a truth value, and whether a container is empty."""
    kind = type(result)
    if kind is bool:
        return "True" if result else "False"
    if kind in (str, list, dict, tuple, set, bytes) and not result:
        return f"empty {kind.__name__}"
    if kind is int and result in (0, -1):
        return str(result)
    return kind.__name__
