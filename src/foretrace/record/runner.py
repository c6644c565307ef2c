"""The inside of the sandbox for `foretrace.record.child`: a job that loads a program, calls it and records the call."""

import json
import os
from typing import Any

from foretrace.errors import ForetraceError, UsageError
from foretrace.record.program import call, evaluate_arguments, find_function, load_module, nothing_recorded
from foretrace.record.session import open_session
from foretrace.record.sink import TAIL_BYTES
from foretrace.sandbox import TAIL
from foretrace.trace import Limits

FILENAME = "<foretrace>"


def run(payload: bytes, output: int) -> None:
    """Writes the trace of the job's call to `output` and the tail, or in its place why there is none."""
    job = json.loads(payload)
    os.ftruncate(TAIL, TAIL_BYTES)
    try:
        _record(job, Limits(**job["limits"]), output, TAIL)
    except ForetraceError as error:
        kind = "usage" if isinstance(error, UsageError) else "record"
        _report(output, {"error": kind, "message": str(error)})
    except MemoryError:
        _report(output, {"error": "record", "message": "out of memory before the function was entered"})


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
