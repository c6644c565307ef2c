"""Inside the sandbox: finds arguments for one subject and records its calls. One fork does all calls of a subject.

Each call is recorded twice, and what differs is no function of its arguments: a counter, a cache, the clock. What it writes
is read by `execute`, which trusts none of it.
"""

import io
import json
import os
import random
import struct
import sys
from collections.abc import Callable, Iterator
from functools import partial
from inspect import unwrap
from types import CodeType
from typing import Any

from foretrace.corpus.arguments import Budget, explore
from foretrace.corpus.types import digest
from foretrace.errors import ForetraceError, UsageError
from foretrace.record.budget import Alarms
from foretrace.record.program import call_within, compile_arguments, find_function, load_module
from foretrace.record.session import open_session
from foretrace.trace import Limits

HEAD = struct.Struct("<II")
FILENAME = "<subject>"
_CLOCKS = frozenset(
    ("now", "utcnow", "today", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time",
     "localtime", "gmtime", "ctime", "urandom", "uuid1", "uuid4", "token_hex", "token_bytes", "token_urlsafe",
     "SystemRandom", "getpid", "getppid")
)  # fmt: skip
"""Names, of attributes too, that stand for something else in each run or on each day. What is commonly another thing as
well, such as `time`, is left to the second run."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_TOUCHES = ("socket.", "subprocess.", "os.", "shutil.", "ctypes.", "tempfile.", "sqlite3.", "signal.", "webbrowser.")
_HARMLESS = frozenset(("os.listdir", "os.scandir", "os.walk"))  # as imports do

_touched: list[str] = []


def run(payload: bytes, output: int) -> None:
    """Writes, for each call, the length of a JSON head, the length of a recording, and both."""
    job = json.loads(payload)
    job |= {"limits": Limits(**job["limits"]), "files": {FILENAME: job["source"].split("\n")}, "alarms": Alarms()}
    sys.addaudithook(_watch)

    def write(head: dict[str, Any], body: bytes = b"") -> None:
        text = json.dumps(head).encode()
        os.write(output, HEAD.pack(len(text), len(body)) + text + body)

    try:
        (_record_script if job["form"] == "script" else _record_calls)(job, write)
    except ForetraceError as error:
        write({"kind": "failed", "usage": isinstance(error, UsageError), "message": str(error)})
    write({"kind": "end"})


def _record_calls(job: dict[str, Any], write: Callable[..., None]) -> None:
    source, entry = job["source"], job["entry"]
    arguments = list(job["calls"])
    if job["tries"] and len(arguments) < job["wanted"]:
        budget = Budget(tries=job["tries"], calls=job["wanted"])
        found = explore(source, entry, job["seed"], budget, arguments)
        arguments = [one.arguments for one in found.calls]
        write({"kind": "explored", "coverage": found.coverage, "tries": found.tries, "success": found.has_success})
    namespace = load_module(source, FILENAME)
    function = find_function(namespace, entry)
    code = getattr(unwrap(function), "__code__", None)
    lines = sorted({line for *_, line in code.co_lines() if line} - {code.co_firstlineno}) if code is not None else []
    write({"kind": "lines", "lines": lines, "clocks": sorted(_clocks(code, namespace))})
    for text in arguments[: job["wanted"]]:
        _record_call(job, namespace, function, text, write)


def _record_call(
    job: dict[str, Any], namespace: dict[str, Any], function: Callable[..., Any], text: str, write: Callable[..., None]
) -> None:
    runs, problem = [], ""
    _touched.clear()
    try:
        make_arguments = compile_arguments(text, namespace)
        for _ in range(2):
            args, kwargs = make_arguments()
            runs.append(_recorded(job, partial(function, *args, **kwargs)))
    except ForetraceError as error:
        problem = str(error)
    head = {"kind": "call", "arguments": text, "problem": problem, "touched": _touched[:1]}
    write(head | {"steady": len(runs) == 2 and runs[0] == runs[1]}, runs[0] if runs else b"")


def _record_script(job: dict[str, Any], write: Callable[..., None]) -> None:
    """A script is run once for each input, with its streams replaced."""
    try:
        code = compile(job["source"], FILENAME, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"the source does not parse: {error}") from error
    write({"kind": "lines", "lines": sorted(_lines_of(code)), "clocks": sorted(_names_of(code) & _CLOCKS)})
    for text in job["calls"][: job["wanted"]]:
        runs = []
        _touched.clear()
        for _ in range(2):
            printed = io.StringIO()
            before = sys.stdin, sys.stdout
            sys.stdin, sys.stdout = io.StringIO(text), printed
            try:
                runs.append(_recorded(job, lambda: exec(code, {"__name__": "__main__"})))
            finally:
                sys.stdin, sys.stdout = before
        head = {"kind": "call", "arguments": text, "problem": "", "touched": _touched[:1], "printed": printed.getvalue()}
        write(head | {"steady": runs[0] == runs[1]}, runs[0])


def _recorded(job: dict[str, Any], run: Callable[[], Any]) -> bytes:
    out, limits = bytearray(), job["limits"]
    random.seed(0)
    session = open_session(job["files"].get, limits, entry=job["entry"], output=out)
    before = sys.stdout
    sys.stdout = io.StringIO() if before is sys.__stdout__ else before
    try:
        call_within(job["alarms"], session, limits, run)
    finally:
        sys.stdout = before
    return bytes(out)


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Notes what a call does beyond computing."""
    if event == "open":
        mode, flags = arguments[1], arguments[2]
        is_write = (
            any(c in mode for c in "wax+") if isinstance(mode, str) else bool(isinstance(flags, int) and flags & _WRITES)
        )
        if is_write:
            _touched.append("open")
    elif event.startswith(_TOUCHES) and event not in _HARMLESS:
        _touched.append(event)


def _clocks(code: CodeType | None, namespace: dict[str, Any]) -> set[str]:
    """Names that stand for something other in each run, in the function and in what it may call of the module."""
    codes = [code] if code is not None else []
    codes += [v.__code__ for v in namespace.values() if getattr(getattr(v, "__code__", None), "co_filename", "") == FILENAME]
    return set().union(*(_names_of(one) for one in codes)) & _CLOCKS


def _names_of(code: CodeType) -> set[str]:
    return set(code.co_names).union(*(_names_of(c) for c in code.co_consts if isinstance(c, CodeType)))


def _lines_of(code: CodeType) -> Iterator[int]:
    yield from (line for *_, line in code.co_lines() if line)


def subject_seed(seed: int, source: str, entry: str) -> int:
    """The seed of one subject's exploration."""
    return int(digest(str(seed), source, entry)[:8], 16)
