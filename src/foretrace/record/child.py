r"""Recording in a child process: what the traced program does, it does to itself.

    trace = record_source("def f(n):\\n    return n * 2\\n", "f", "21")

The child is a fresh interpreter in a new session, with limits on memory, file size and processes, no standard input, its
output thrown away, a temporary directory to work in. It writes frames to a pipe as they happen, so that a crash, a kill
or `os._exit` loses at most the last one. What comes through that pipe is treated as hostile: the program shares it.
"""

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import asdict, replace
from importlib.util import decode_source
from json import JSONDecodeError, dumps, loads
from pathlib import Path
from typing import Any

from foretrace.errors import FormatError, RecordError, UsageError
from foretrace.trace import Event, Header, Limits, Outcome, Trace, read_jsonl

_MAX_STREAM = 64_000_000
"""Bytes read from a child; a trace within its own budgets is far smaller."""
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
        stream, ending = _run(dumps(job), folder, limits)
    return _interpret(stream, ending, Header(source=source, entry=entry, path=path, limits=limits))


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
    reader, writer = os.pipe()
    package = str(Path(__file__).resolve().parents[2])
    command = [
        sys.executable,
        "-I",
        "-X",
        "utf8",
        "-c",
        f"import sys; sys.path.insert(0, {package!r}); import foretrace.record.runner as r; r.main({writer})",
    ]
    mark = str(uuid.uuid4())
    environment = {"PATH": os.defpath, "PYTHONHASHSEED": "0", "HOME": folder, "TMPDIR": folder, "LC_ALL": "C.UTF-8"}
    environment["FORETRACE_RECORDING"] = mark  # by which its descendants are found, whatever session they are in
    # -I ignores PYTHONHASHSEED, so isolation is asked for piece by piece
    command[1:2] = ["-s", "-P"]
    job_file = Path(folder) / "job.json"
    job_file.write_text(job, encoding="utf-8", errors="surrogatepass")
    with job_file.open("rb") as stdin:
        child = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(writer,),
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
    os.close(writer)
    try:
        stream, why = _collect(reader, child, time.monotonic() + limits.seconds + _GRACE)
    finally:
        os.close(reader)
        _kill_descendants(child, mark.encode())
    if why:
        return stream, why
    code = child.returncode
    return stream, "" if code == 0 else f"signal {-code}" if code < 0 else f"exit code {code}"


def _collect(reader: int, child: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, str]:
    """Reads until the child has ended, the time is up, or it has written too much."""
    stream = bytearray()
    os.set_blocking(reader, False)
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return bytes(stream), "time"
            ready = selector.select(min(left, 0.05))
            data = os.read(reader, 1 << 16) if ready else b""
            stream += data
            if len(stream) > _MAX_STREAM:
                return bytes(stream), "bytes"
            if not data and (ready or child.poll() is not None) and _ended(child):
                return bytes(stream), ""


def _ended(child: subprocess.Popen[bytes]) -> bool:
    """Whether the child itself has ended; what it forked may hold the pipe open for ever."""
    try:
        child.wait(0.05)
    except subprocess.TimeoutExpired:
        return False
    return True


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


def _interpret(stream: bytes, ending: str, header: Header) -> Trace:
    """The trace in a child's stream, however the child ended."""
    lines = stream.decode("utf-8", "replace").splitlines()
    if 0 < len(lines) <= 2 and lines[-1].startswith('{"error"'):
        _raise(lines[-1])
    try:
        trace = next(read_jsonl(lines, partial=True), None)
    except FormatError as error:
        raise RecordError(f"{_DISTURBED}: {error}") from error
    if trace is None or not trace.frames:
        raise RecordError(f"the program ended before {header.entry} was entered ({ending or 'nothing was recorded'})")
    if trace.header.outcome is not Outcome.TRUNCATED and not _is_whole(trace, lines):
        trace = replace(trace, header=replace(trace.header, outcome=Outcome.TRUNCATED, detail=_DISTURBED))
    known = replace(trace.header, source=header.source, entry=header.entry, path=header.path, limits=header.limits)
    if trace.header.detail == "cut off":
        known = replace(known, outcome=Outcome.TRUNCATED, detail=ending or "the process ended")
    return Trace(replace(known, arguments=dict(trace.frames[0].state)), trace.frames)


def _is_whole(trace: Trace, lines: list[str]) -> bool:
    """Whether the stream is one trace that ends with its entry scope."""
    last = trace.frames[-1]
    return len(lines) == len(trace.frames) + 2 and last.depth == 0 and last.event in (Event.RETURN, Event.EXCEPTION)


def _raise(line: str) -> None:
    """Raises the error that the child reported."""
    try:
        record = loads(line)
        kind, message = record["error"], str(record["message"])
    except (JSONDecodeError, KeyError) as error:
        raise RecordError(_DISTURBED) from error
    raise (UsageError if kind == "usage" else RecordError)(message)
