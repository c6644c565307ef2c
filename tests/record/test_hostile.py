"""Programs that are hard to watch: recorded, each ends as it does unrecorded, within its budget, with a trace that is valid."""

import sys
import time

import pytest

from foretrace.record import record_source
from foretrace.record.session import HAS_NATIVE
from foretrace.trace import Limits, Outcome, from_segments, from_text, read_binary, to_binary, to_segments, to_text

LIMITS = Limits(seconds=2.0, max_events=20_000, max_bytes=10**8)
REPR = "class A:\n    n = 0\n    def __repr__(self):\n        {}\ndef f():\n    a = A()\n    b = {}\n    return b\n"

RESULTS = {
    "a repr that raises": (REPR.format("raise ValueError", "1"), "1"),
    "a repr that ends the program": (REPR.format("raise SystemExit(3)", "1"), "1"),
    "a repr that hangs": (REPR.format("while True: pass", "1"), "1"),
    "a repr that changes what is returned": (REPR.format("A.n += 1; return 'A'", "A.n"), "0"),
    "a repr that is no string": (REPR.format("return 5", "1"), "1"),
    "an object whose repr needs what is not there yet": (
        "class A:\n    def __init__(self):\n        self.x = 1\n        self.y = 2\n"
        "    def __repr__(self):\n        return f'{self.x} {self.y}'\ndef f():\n    a = A()\n    return a.x\n",
        "1",
    ),
    "containers within themselves": (
        "def f():\n    a = []\n    a.append(a)\n    d = {}\n    d['d'] = d\n    return len(a) + len(d)\n",
        "2",
    ),
    "deep nesting": ("def f():\n    a = []\n    for i in range(3000):\n        a = [a]\n    return 1\n", "1"),
    "a string of 50 MB": ("def f():\n    s = 'x' * 50_000_000\n    t = 1\n    return t\n", "1"),
    "a number of 6,000 digits": ("def f():\n    n = 10**6000\n    return 1\n", "1"),
    "lone surrogates": ("def f():\n    s = '\\ud800'\n    t = s + 'a'\n    return t\n", r"'\ud800a'"),
    "equality and hash that end the program": (
        "class A:\n    def __eq__(self, o):\n        raise SystemExit\n    __hash__ = None\n"
        "def f():\n    a = [A()]\n    a.append(A())\n    return len(a)\n",
        "2",
    ),
    "a class that says it is another": (
        "class A:\n    @property\n    def __class__(self):\n        raise SystemExit\n    def __getattribute__(self, n):\n"
        "        raise SystemExit\ndef f():\n    a = A()\n    b = {'a': a}\n    return 1\n",
        "1",
    ),
    "a thread": (
        "import threading\ndef w(out):\n    q = 1\n    out.append(q)\ndef f():\n    o = []\n"
        "    t = threading.Thread(target=w, args=(o,))\n    t.start()\n    t.join()\n    return o\n",
        "[1]",
    ),
    "an in-place string": (
        "def f():\n    s = ''\n    for i in range(2000):\n        s += 'ab'\n    return len(s)\n",
        "4000",
    ),
    "a closure counted by two threads": (
        "import sys, threading\ndef f():\n    sys.setswitchinterval(1e-5)\n    n = 0\n    lock = threading.Lock()\n"
        "    def add():\n        nonlocal n\n        for _ in range(2000):\n            with lock:\n                n += 1\n"
        "    t = threading.Thread(target=add)\n    t.start()\n    add()\n    t.join()\n    return n\n",
        "4000",
    ),
}
NATIVE_ONLY = {
    "recursion to the limit": (
        "import sys\ndef g(n):\n    return g(n + 1)\ndef f():\n    try:\n        g(0)\n    except RecursionError:\n        return 1\n",
        "1",
    ),
}


def check_valid(trace: object) -> None:
    [again] = read_binary(to_binary([trace]))
    assert again.frames == trace.frames
    text = to_text(to_segments(trace))
    assert len(from_segments(from_text(text)).frames) == len(trace.frames)


@pytest.mark.parametrize("name", RESULTS)
def test_the_result_is_that_of_the_unrecorded_program(name: str) -> None:
    source, result = RESULTS[name]
    started = time.monotonic()
    trace = record_source(source, "f", limits=LIMITS)
    assert time.monotonic() - started < LIMITS.seconds + 4
    assert trace.result == result, trace.header
    check_valid(trace)


@pytest.mark.skipif(not HAS_NATIVE, reason="the reference is Python itself, and shares its stack with the program")
@pytest.mark.parametrize("name", NATIVE_ONLY)
def test_the_recorder_in_c_takes_nothing_from_the_program(name: str) -> None:
    source, result = NATIVE_ONLY[name]
    trace = record_source(source, "f", limits=LIMITS)
    assert trace.result == result, trace.header
    check_valid(trace)


@pytest.mark.parametrize(
    ("body", "outcome", "detail"),
    [
        ("import os\n    a = 1\n    os._exit(0)", Outcome.TRUNCATED, "the process ended"),
        ("import os, signal\n    a = 1\n    os.kill(os.getpid(), signal.SIGKILL)", Outcome.TRUNCATED, "signal 9"),
        ("import ctypes\n    a = 1\n    ctypes.string_at(0)", Outcome.TRUNCATED, "signal 11"),
        ("import sys\n    sys.exit(7)", Outcome.RAISED, ""),
        ("i = 0\n    while True: i += 1", Outcome.TRUNCATED, "events"),
        (
            "while True:\n        try:\n            a = 1\n        except BaseException:\n            pass",
            Outcome.TRUNCATED,
            "events",
        ),
        ("a = 1\n    sum(iter(int, 1))", Outcome.TRUNCATED, "time"),
    ],
)
def test_what_does_not_return_keeps_its_frames(body: str, outcome: Outcome, detail: str) -> None:
    trace = record_source(f"def f():\n    {body}\n", "f", limits=Limits(seconds=0.5, max_events=2000))
    assert (trace.header.outcome, trace.header.detail) == (outcome, detail)
    last = trace.frames[-1]
    if detail.startswith(("signal", "the process")):  # all up to the line that ended it
        assert last.source.strip() in body.split("\n")[-1]
    check_valid(trace)


def test_a_replaced_trace_function_changes_no_result() -> None:
    source = "import sys\ndef f():\n    a = 1\n    sys.settrace(None)\n    b = 2\n    c = 3\n    return c\n"
    trace = record_source(source, "f", limits=LIMITS)
    if HAS_NATIVE and sys.version_info >= (3, 12):
        assert trace.result == "3"
    else:
        assert "trace function" in trace.header.detail
