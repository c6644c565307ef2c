r"""Recording in a child process: what the traced program does, it does to itself.

    trace = record_source("def f(n):\\n    return n * 2\\n", "f", "21")

The child is a fresh interpreter in a new session, with limits on memory, file size and processes, no standard input, its
output thrown away, a temporary directory to work in. Its frames are outside its process as they happen, so that a crash, a
kill or `os._exit` loses at most the last one. What they say is treated as hostile: the program can reach them.
"""

import os
import signal
import subprocess
import sys
import tempfile
import uuid
from dataclasses import asdict, replace
from importlib.util import decode_source
from json import JSONDecodeError, dumps, loads
from pathlib import Path
from typing import Any

from foretrace.errors import RecordError, UsageError
from foretrace.record.sink import TAIL_BYTES, merge
from foretrace.trace import Event, Header, Limits, Outcome, Trace, read_binary

_KILL_ROUNDS = 20
_DISTURBED = "the program disturbed its own recording"
_GRACE = 2.0
"""Seconds that a child has to start and to report, beyond the program's own limit."""


def record_source(
    source: str, entry: str, arguments: str = "", *, path: str = "<string>", limits: Limits | None = None
) -> Trace:
    """Runs `entry(arguments)` in a limited child process and records it.

    A program that is stopped by a limit, or that kills its own process, gives a truncated trace that says why.

    Args:
        arguments: text of the argument list, such as `"'abc', k=[1]"`.

    Raises:
        UsageError: the source or the arguments do not parse, the function is missing, or the arguments do not bind.
        RecordError: the program's top level raised, or nothing could be recorded.

    """
    limits = limits or Limits()
    job = {"source": source, "entry": entry, "arguments": arguments, "path": path, "limits": asdict(limits)}
    with tempfile.TemporaryDirectory(prefix="foretrace-") as folder:
        data, ending = _run(dumps(job), folder, limits)
    return _interpret(data, ending, Header(source=source, entry=entry, path=path, limits=limits))


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


# ---------------------------------------------------------------------------------------------------
# The parent's side of the child


def _run(job: str, folder: str, limits: Limits) -> tuple[bytes, str]:
    """Starts the child; returns what it wrote and how it ended (empty: by itself, in order)."""
    mark = str(uuid.uuid4())
    environment = {"PATH": os.defpath, "PYTHONHASHSEED": "0", "HOME": folder, "TMPDIR": folder, "LC_ALL": "C.UTF-8"}
    environment["FORETRACE_RECORDING"] = mark  # by which its descendants are found, whatever session they are in
    job_file = Path(folder) / "job.json"
    job_file.write_text(job, encoding="utf-8", errors="surrogatepass")
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as tail, job_file.open("rb") as stdin:
        tail.truncate(TAIL_BYTES)
        child = subprocess.Popen(
            _command(output.fileno(), tail.fileno()),
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(output.fileno(), tail.fileno()),
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        try:
            ending = _await(child, limits.seconds + _GRACE)
        finally:
            _kill_descendants(child, mark.encode())
        return merge(output, tail), ending


def _command(output: int, tail: int) -> list[str]:
    package = str(Path(__file__).resolve().parents[2])
    program = f"import sys; sys.path.insert(0, {package!r}); import foretrace.record.runner as r; r.main({output}, {tail})"
    # -I would ignore PYTHONHASHSEED, so isolation is asked for piece by piece
    return [sys.executable, "-s", "-P", "-X", "utf8", "-c", program]


def _await(child: subprocess.Popen[bytes], seconds: float) -> str:
    """Waits for the child; returns how it ended, empty if by itself and in order."""
    try:
        code = child.wait(seconds)
    except subprocess.TimeoutExpired:
        return "time"
    if code == -signal.SIGXCPU:
        return "cpu"
    return "" if code == 0 else f"signal {-code}" if code < 0 else f"exit code {code}"


def _kill_descendants(child: subprocess.Popen[bytes], mark: bytes) -> None:
    """Kills the child and what it started: its group, its session, and whatever bears the mark in its environment."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    for _ in range(_KILL_ROUNDS):  # what was just being forked is seen in the next round
        found = _descendants(child.pid, mark)
        for process in found:
            try:
                os.kill(process, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        if not found:
            break
    child.wait()


def _descendants(session: int, mark: bytes) -> list[int]:
    """Living processes of a session or with a mark in their environment, as far as the system tells (Linux)."""
    members = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if fields[0] != "Z" and (int(fields[3]) == session or mark in (process / "environ").read_bytes()):
                members.append(int(process.name))
        except (OSError, ValueError, IndexError):
            continue
    return members


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
