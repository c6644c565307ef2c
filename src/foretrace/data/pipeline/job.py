"""Inside the sandbox: finds arguments for one subject and records its calls. One fork does all calls of a subject.

Each call is recorded twice, and what differs is no function of its arguments: a counter, a cache, a draw, the clock. What it
writes is read by `execute`, which trusts none of it.
"""

import io
import itertools
import json
import os
import random
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from inspect import unwrap
from types import CodeType
from typing import Any

from foretrace.corpus.arguments import Budget, explore
from foretrace.corpus.types import digest
from foretrace.errors import ForetraceError, UsageError
from foretrace.record.budget import Alarms, Stop
from foretrace.record.program import call_within, compile_arguments, exhaust, find_function, load_module
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
_TELLERS = (
    "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "process_time_ns",
)  # fmt: skip
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
        with _timeless():
            found = explore(source, entry, job["seed"], budget, arguments)
        arguments = [one.arguments for one in found.calls]
        write({"kind": "explored", "coverage": found.coverage, "tries": found.tries, "success": found.has_success})
    programs = [load_module(source, FILENAME)]
    with _another_day():
        programs.append(load_module(source, FILENAME))
    code = getattr(unwrap(find_function(programs[0], entry)), "__code__", None)
    lines = sorted({line for *_, line in code.co_lines() if line} - {code.co_firstlineno}) if code is not None else []
    write({"kind": "lines", "lines": lines, "clocks": sorted(_clocks(code, programs[0])), "folder": _sandbox_folder()})
    for text in arguments[: job["wanted"]]:
        _record_call(job, programs, text, write)


def _record_call(job: dict[str, Any], programs: list[dict[str, Any]], text: str, write: Callable[..., None]) -> None:
    """Records a call; and again in a module of its own, after another call, on another day: what is pure is the same."""
    body, problem, steady = b"", "", True
    _touched.clear()
    try:
        first, second = (_caller(program, job["entry"], text) for program in programs)
        body, stopped = _recorded(job, first())
        if not stopped:
            with _another_day():
                _run(job, second())
                steady = _recorded(job, second())[0] == body
    except ForetraceError as error:
        problem = str(error)
    write({"kind": "call", "arguments": text, "problem": problem, "touched": _touched[:1], "steady": steady}, body)


def _caller(program: dict[str, Any], entry: str, text: str) -> Callable[[], Callable[[], Any]]:
    """What makes a call of a program's entry, with new arguments each time."""
    function, make_arguments = find_function(program, entry), compile_arguments(text, program)

    def make_call() -> Callable[[], Any]:
        args, kwargs = make_arguments()
        return partial(function, *args, **kwargs)

    return make_call


@contextmanager
def _clocks_replaced(replacement: Callable[[Callable[[], Any]], Callable[[], Any]]) -> Iterator[None]:
    """Has each clock of `time` replaced by what is made of it."""
    real = {name: getattr(time, name) for name in _TELLERS}
    for name, tell in real.items():
        setattr(time, name, replacement(tell))
    try:
        yield
    finally:
        for name, tell in real.items():
            setattr(time, name, tell)


def _another_day() -> AbstractContextManager[None]:
    """Clocks tell another time, and go faster."""
    return _clocks_replaced(lambda tell: lambda: tell() * 3 + 1)


def _timeless() -> AbstractContextManager[None]:
    """Clocks count how often they were asked: what is tried next must not depend on how fast this machine is."""
    counted = itertools.count(1_700_000_000)
    return _clocks_replaced(lambda tell: lambda: type(tell())(next(counted)))


def _sandbox_folder() -> str:
    """The folder that all jobs have theirs in, which a value must not name."""
    return os.path.dirname(os.path.dirname(os.getcwd()))


def _record_script(job: dict[str, Any], write: Callable[..., None]) -> None:
    """A script is run once for each input, with its streams replaced."""
    try:
        code = compile(job["source"], FILENAME, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"the source does not parse: {error}") from error
    clocks = sorted(_names_of(code) & _CLOCKS)
    write({"kind": "lines", "lines": sorted(_lines_of(code)), "clocks": clocks, "folder": _sandbox_folder()})
    for text in job["calls"][: job["wanted"]]:
        _touched.clear()
        (body, stopped), printed = _with_streams(text, lambda: _recorded(job, partial(exec, code, {"__name__": "__main__"})))
        steady = True
        if not stopped:
            with _another_day():
                (again, _), _ = _with_streams(text, lambda: _recorded(job, partial(exec, code, {"__name__": "__main__"})))
                steady = again == body
        head = {"kind": "call", "arguments": text, "problem": "", "touched": _touched[:1], "printed": printed}
        write(head | {"steady": steady}, body)


def _with_streams(text: str, run: Callable[[], tuple[bytes, str]]) -> tuple[tuple[bytes, str], str]:
    """What `run` gives where standard input is `text`, and what it prints."""
    printed, before = io.StringIO(), (sys.stdin, sys.stdout)
    sys.stdin, sys.stdout = io.StringIO(text), printed
    try:
        return run(), printed.getvalue()
    finally:
        sys.stdin, sys.stdout = before


def _recorded(job: dict[str, Any], run: Callable[[], Any]) -> tuple[bytes, str]:
    """The recording of a call, and which budget ended it, if one did."""
    out, limits = bytearray(), job["limits"]
    random.seed(0)
    session = open_session(job["files"].get, limits, entry=job["entry"], output=out)
    before = sys.stdout
    sys.stdout = io.StringIO() if before is sys.__stdout__ else before
    try:
        call_within(job["alarms"], session, limits, run)
    finally:
        sys.stdout = before
    return bytes(out), session.stopped


def _run(job: dict[str, Any], run: Callable[[], Any]) -> None:
    """Calls without recording."""

    def ring(which: str) -> None:
        raise Stop

    job["alarms"].ring = ring
    try:
        try:
            job["alarms"].start(job["limits"])
            exhaust(run())
        except BaseException:  # the program's, whatever it is
            pass
        job["alarms"].stop()
    except Stop:
        job["alarms"].stop()


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
