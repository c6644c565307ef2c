"""The child's side of `foretrace.record.child`: reads a job, limits itself, runs it, writes frames to a file.

Not for import by anything else: `main` ends the process.
"""

import json
import math
import os
import resource
import sys
from pathlib import Path
from typing import Any, NoReturn

from foretrace.errors import ForetraceError, UsageError
from foretrace.record.program import call, evaluate_arguments, find_function, load_module, nothing_recorded
from foretrace.record.session import open_session
from foretrace.trace import Limits

FILENAME = "<foretrace>"
_FILE_BYTES = 16 << 20
_PROCESSES = 64
"""Processes and threads that the program may start. The kernel counts all of the user's, and none of root's."""


def main(output: int, tail: int) -> NoReturn:
    """Runs the job on standard input; writes its trace to the file of descriptor `output`."""
    job = json.loads(sys.stdin.buffer.read().decode("utf-8", "surrogatepass"))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    limits = Limits(**job["limits"])
    _limit(limits)
    try:
        _record(job, limits, output, tail)
    except ForetraceError as error:
        kind = "usage" if isinstance(error, UsageError) else "record"
        _report(output, {"error": kind, "message": str(error)})
    except MemoryError:
        _report(output, {"error": "record", "message": "out of memory before the function was entered"})
    os._exit(0)


def _record(job: dict[str, Any], limits: Limits, output: int, tail: int) -> None:
    entry, parent = job["entry"], os.getpid()
    namespace = load_module(job["source"], FILENAME)
    function = find_function(namespace, entry)
    args, kwargs = evaluate_arguments(job["arguments"], namespace)
    files = {FILENAME: job["source"].split("\n")}
    session = open_session(files.get, limits, entry=entry, output=output, tail=tail, when_full="exit")
    error = call(session, limits, function, *args, **kwargs)
    if os.getpid() == parent and not session.traces:
        raise nothing_recorded(entry, error)


def _report(output: int, error: dict[str, str]) -> None:
    """Writes an error in place of a trace."""
    os.ftruncate(output, 0)
    os.pwrite(output, json.dumps(error).encode(), 0)


def _limit(limits: Limits) -> None:
    """Applies the limits of the process to itself."""
    memory = limits.memory_mb << 20
    # the alarm rings first, unless the program is where no signal is handled; the parent waits as long for the clock
    seconds = math.ceil(min(limits.cpu_seconds, limits.seconds + 2)) + 1
    wanted = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: _FILE_BYTES + 4 * limits.max_bytes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: _tasks_of_user() + _PROCESSES,
    }
    for what, value in wanted.items():
        _, hard = resource.getrlimit(what)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        above = 1 if what == resource.RLIMIT_CPU and hard == resource.RLIM_INFINITY else 0  # for SIGXCPU, which says why
        resource.setrlimit(what, (value, value + above))


def _tasks_of_user() -> int:
    """Processes and threads that this user has now (Linux)."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            count += len(os.listdir(process / "task")) if process.stat().st_uid == os.getuid() else 0
        except OSError:  # it has ended
            continue
    return count
