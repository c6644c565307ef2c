r"""Recording in a sandbox: what the traced program does, it does to itself.

    trace = record_source("def f(n):\\n    return n * 2\\n", "f", "21")

Its frames are outside its process as they happen, so that a crash, a kill or `os._exit` loses at most the last one. What
they say is treated as hostile: the program can reach them.
"""

import math
import signal
from contextlib import nullcontext
from dataclasses import asdict, replace
from importlib.util import decode_source
from json import JSONDecodeError, dumps, loads
from pathlib import Path
from typing import Any

from foretrace.errors import RecordError, UsageError
from foretrace.record.sink import merge
from foretrace.sandbox import Result, Sandbox, SandboxLimits, Status
from foretrace.trace import Event, Header, Limits, Outcome, Trace, read_binary

_DISTURBED = "the program disturbed its own recording"
_GRACE = 2.0
"""Seconds that a job has to start and to report, beyond the program's own limit."""


def record_source(
    source: str,
    entry: str,
    arguments: str = "",
    *,
    path: str = "<string>",
    limits: Limits | None = None,
    sandbox: str | Sandbox = "process",
) -> Trace:
    """Runs `entry(arguments)` in a sandbox and records it.

    A program that is stopped by a limit, or that kills its own process, gives a truncated trace that says why.

    Args:
        arguments: text of the argument list, such as `"'abc', k=[1]"`.
        sandbox: its backend; or one that stands already, such as `recording_sandbox()`, for many programs.

    Raises:
        UsageError: the source or the arguments do not parse, the function is missing, or the arguments do not bind.
        RecordError: the program's top level raised, or nothing could be recorded.
        SandboxError: the sandbox does not start.

    """
    limits = limits or Limits()
    job = {"source": source, "entry": entry, "arguments": arguments, "limits": asdict(limits)}
    with nullcontext(sandbox) if isinstance(sandbox, Sandbox) else recording_sandbox(sandbox) as box:
        result = box.run("foretrace.record.runner:run", dumps(job).encode(), _limits(limits))
    header = Header(source=source, entry=entry, path=path, limits=limits)
    return _interpret(merge(result.output, result.tail), _ending(result), header)


def recording_sandbox(backend: str = "process") -> Sandbox:
    """A sandbox that has loaded the recorder: the second program in it starts in a few milliseconds."""
    return Sandbox(backend, preload=["foretrace.record.runner"])


def record(target: str, /, *args: Any, arguments: str | None = None, limits: Limits | None = None, **kwargs: Any) -> Trace:
    """Records a call of a function in a file.

    Args:
        target: `file.py::function`.
        args, kwargs: literal values to call it with; or
        arguments: the argument list as text.

    Raises:
        UsageError: no such file or function, or a value that is not a literal.
        RecordError: see `record_source`.

    """
    source, entry, path = read_target(target)
    text = arguments if arguments is not None else argument_text(args, kwargs)
    return record_source(source, entry, text, path=path, limits=limits)


def read_target(target: str) -> tuple[str, str, str]:
    """Splits `file.py::function` into source text, function and path.

    Raises:
        UsageError: it has another form, or the file cannot be read.

    """
    path, separator, entry = target.rpartition("::")
    if not separator or not path or not entry:
        raise UsageError(f"{target!r} does not name a function; write FILE::FUNCTION, such as letters.py::count")
    try:
        return decode_source(Path(path).read_bytes()), entry, path
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, SyntaxError) as error:
        raise UsageError(f"cannot read {path}: it is not in UTF-8 or the encoding that it declares ({error})") from error


def argument_text(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Values as the text of an argument list.

    Raises:
        UsageError: a value is not a literal.

    """
    import ast

    texts = [(f"{name}=" if name else "", value) for name, value in [*(("", a) for a in args), *kwargs.items()]]
    for _, value in texts:
        try:
            ast.literal_eval(repr(value))
        except (ValueError, SyntaxError) as error:
            raise UsageError(f"{value!r} is not a literal; give the call as text: arguments='make(3)'") from error
    return ", ".join(f"{prefix}{value!r}" for prefix, value in texts)


def _limits(limits: Limits) -> SandboxLimits:
    """The sandbox's limits are the second line: the recorder's own come first, and say why."""
    return SandboxLimits(
        seconds=limits.seconds + _GRACE,
        cpu_seconds=math.ceil(min(limits.cpu_seconds, limits.seconds + _GRACE)) + 1,
        memory_mb=limits.memory_mb,
        file_mb=16 + (4 * limits.max_bytes >> 20),
    )


def _ending(result: Result) -> str:
    """How a job ended; empty if by itself and in order."""
    match result.status:
        case Status.TIMEOUT:
            return "time"
        case Status.KILLED:
            return "cpu" if result.code == signal.SIGXCPU else f"signal {result.code}"
        case Status.EXITED if result.code:
            return f"exit code {result.code}"
        case Status.BROKEN:
            return "the sandbox broke"
    return ""


def _interpret(data: bytes, ending: str, header: Header) -> Trace:
    """The trace in what a child wrote, however the child ended."""
    if data.startswith(b"{"):
        _raise(data)
    traces = list(read_binary(data, partial=True))
    if not traces:
        raise RecordError(f"the program ended before {header.entry} was entered ({ending or 'nothing was recorded'})")
    trace = traces[0]
    known = replace(trace.header, source=header.source, entry=header.entry, path=header.path, limits=header.limits)
    if trace.header.detail == "cut off":
        known = replace(known, detail=ending or "the process ended")
    elif len(traces) > 1 or trace.header.detail == "damaged" or not _is_whole(trace):
        known = replace(known, outcome=Outcome.TRUNCATED, detail=_DISTURBED)
    return Trace(known, trace.frames)


def _is_whole(trace: Trace) -> bool:
    """Whether a trace that is said to have ended ends with its entry scope."""
    last = trace.frames[-1]
    ends = last.depth == 0 and last.event in (Event.RETURN, Event.EXCEPTION)
    return ends or trace.header.outcome is Outcome.TRUNCATED


def _raise(data: bytes) -> None:
    """Raises the error that the child reported."""
    try:
        record = loads(data)
        kind, message = record["error"], str(record["message"])
    except (JSONDecodeError, KeyError, UnicodeDecodeError) as error:
        raise RecordError(_DISTURBED) from error
    raise (UsageError if kind == "usage" else RecordError)(message)
