"""The child's side of `foretrace.record.child`: reads a job, limits itself, runs it, writes frames to a pipe.

Not for import by anything else: `main` ends the process.
"""

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any, NoReturn

from foretrace.errors import ForetraceError, UsageError
from foretrace.record.program import evaluate_arguments, find_function, finish, load_module
from foretrace.record.reference import Recorder
from foretrace.trace import Frame, Header, Limits
from foretrace.trace.jsonl import FrameWriter, end_line, header_line

_FILE_BYTES = 16 << 20
_PROCESSES = 64
"""Processes and threads that the program may start. The kernel counts all of the user's, and none of root's."""


def main(pipe: int) -> NoReturn:
    """Runs the job on standard input; writes its trace to the file descriptor `pipe`."""
    job = json.loads(sys.stdin.buffer.read().decode("utf-8", "surrogatepass"))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    limits = Limits(**job["limits"])
    _limit(limits)
    try:
        _record(job, limits, pipe)
    except ForetraceError as error:
        kind = "usage" if isinstance(error, UsageError) else "record"
        _write(pipe, json.dumps({"error": kind, "message": str(error)}) + "\n")
    except MemoryError:
        _write(pipe, json.dumps({"error": "record", "message": "out of memory before the function was entered"}) + "\n")
    os._exit(0)


def _record(job: dict[str, Any], limits: Limits, pipe: int) -> None:
    source, entry, path = job["source"], job["entry"], job["path"]
    filename = "<foretrace>"
    namespace = load_module(source, filename)
    function = find_function(namespace, entry)
    args, kwargs = evaluate_arguments(job["arguments"], namespace)
    writer = FrameWriter()
    opening = Header(source="", entry=entry, path=path, python=".".join(map(str, sys.version_info[:3])), limits=limits)
    _write(pipe, header_line(opening))

    def send(frame: Frame) -> None:
        _write(pipe, writer.line(frame))

    def stop(why: str) -> NoReturn:
        """Nothing the program does can outlive the end of its process."""
        recorder.flush()
        recorder.stopped = why
        _write(pipe, end_line(finish(recorder, None, source=source, entry=entry, limits=limits).header))
        os._exit(0)

    recorder = Recorder({filename: source.split("\n")}, limits, sink=send, on_stop=stop)
    recorder.arm(limits.seconds)
    error = recorder.run(function, *args, **kwargs)
    if recorder.forked:
        os._exit(0)
    recorder.disarm()
    recorder.flush()
    _write(pipe, end_line(finish(recorder, error, source=source, entry=entry, limits=limits).header))


def _limit(limits: Limits) -> None:
    """Applies the limits of the process to itself."""
    memory = limits.memory_mb << 20
    seconds = int(limits.seconds) + 2
    wanted = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: _FILE_BYTES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: _tasks_of_user() + _PROCESSES,
    }
    for what, value in wanted.items():
        _, hard = resource.getrlimit(what)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (value, value))


def _tasks_of_user() -> int:
    """Processes and threads that this user has now (Linux)."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            count += len(os.listdir(process / "task")) if process.stat().st_uid == os.getuid() else 0
        except OSError:  # it has ended
            continue
    return count


def _write(pipe: int, text: str) -> None:
    data = text.encode("utf-8", "replace")
    while data:
        data = data[os.write(pipe, data) :]
