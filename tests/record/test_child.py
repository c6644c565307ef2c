"""The child process: hostile programs end in a truncated trace that says why, and harm nothing."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from foretrace.errors import RecordError, UsageError
from foretrace.record import record, record_source
from foretrace.record.session import HAS_NATIVE
from foretrace.trace import Limits, Outcome

TIGHT = Limits(seconds=0.5, memory_mb=512, max_events=10**8, max_bytes=10**10)


def outcome(source: str, limits: Limits = TIGHT) -> tuple[str, str]:
    started = time.monotonic()
    trace = record_source(source, "f", "", limits=limits)
    assert time.monotonic() - started < limits.seconds + 6
    assert trace.frames
    return trace.header.outcome.value, trace.header.detail


def test_a_call_is_recorded(tmp_path: Path) -> None:
    file = tmp_path / "double.py"
    file.write_text("def double(x, *, times=2):\n    return x * times\n")
    trace = record(f"{file}::double", "ab", times=3)
    assert trace.result == "'ababab'"
    assert trace.header.arguments == {"x": "'ab'", "times": "3"}
    assert trace.header.path == str(file)


def test_a_loop_that_swallows_everything_is_stopped() -> None:
    source = "def f():\n    while True:\n        try:\n            x = 1\n        except:\n            pass\n"
    assert outcome(source, replace(TIGHT, seconds=0.05)) == ("truncated", "time")


def test_an_empty_loop_is_stopped() -> None:
    assert outcome("def f():\n    while True: pass\n") == ("truncated", "time")


def test_endless_recursion_ends_as_it_does_unrecorded() -> None:
    trace = record_source("def f():\n    return f()\n", "f", "", limits=TIGHT)
    if HAS_NATIVE:
        assert trace.exception == "RecursionError('maximum recursion depth exceeded')"
    else:  # the reference is Python itself
        assert (trace.header.outcome, trace.header.detail) == (Outcome.TRUNCATED, "recursion")


def test_gigabytes_of_output_go_nowhere() -> None:
    state, detail = outcome("def f():\n    while True:\n        print('x' * 1_000_000)\n")
    assert (state, detail) == ("truncated", "time")


def test_leaving_the_process_keeps_the_frames() -> None:
    assert outcome("import os\ndef f():\n    x = 1\n    os._exit(3)\n") == ("truncated", "exit code 3")
    assert outcome("import os\ndef f():\n    x = 1\n    os._exit(0)\n") == ("truncated", "the process ended")
    trace = record_source("import os\ndef f():\n    x = 1\n    os._exit(3)\n", "f", "")
    assert trace.frames[-1].line >= 3


def test_a_crash_of_the_interpreter_keeps_the_frames() -> None:
    assert outcome("import ctypes\ndef f():\n    x = 1\n    ctypes.string_at(0)\n") == ("truncated", "signal 11")


def commands_running() -> Iterator[bytes]:
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield process.read_bytes()
        except OSError:  # it has just ended
            continue


def test_forks_are_killed() -> None:
    marker = f"{os.getpid()}-{time.time_ns()}"
    source = (
        "import os, time\ndef f():\n    if os.fork() == 0:\n"
        f"        os.execvp('sleep', ['sleep', '{1000 + os.getpid() % 1000}.{marker[-6:]}'])\n    return 5\n"
    )
    assert outcome(source) == ("returned", "")
    time.sleep(0.2)
    assert not any(marker[-6:].encode() in command for command in commands_running())


def test_memory_is_limited() -> None:
    trace = record_source("def f():\n    return [0] * 10**10\n", "f", "", limits=TIGHT)
    assert trace.header.outcome is Outcome.RAISED
    assert trace.exception == "MemoryError()"


def test_a_repr_that_hangs_is_never_called() -> None:
    source = "class A:\n    def __repr__(self):\n        while True: pass\ndef f():\n    a = A()\n    return 1\n"
    assert outcome(source) == ("returned", "")


def test_writing_to_the_recorders_files_forges_nothing() -> None:
    source = (
        "import os\ndef f():\n    for fd in range(3, 20):\n        try:\n"
        '            os.write(fd, b\'{"end": "returned", "detail": "", "threads_unrecorded": 0}\\n\' * 3)\n'
        "        except OSError:\n            pass\n    return 1\n"
    )
    trace = record_source(source, "f", "", limits=TIGHT)
    assert (trace.result, "disturbed" in trace.header.detail) in [("1", False), (None, True)]
    assert trace.frames[0].source == "def f():"


def test_system_exit_is_an_exception_like_any_other() -> None:
    assert record_source("def f():\n    raise SystemExit(0)\n", "f", "").exception == "SystemExit(0)"


@pytest.mark.parametrize(
    ("source", "arguments", "error", "complaint"),
    [
        ("def f(:\n", "", UsageError, "does not parse at line 1"),
        ("def g(): pass\n", "", UsageError, "functions: g"),
        ("def f(a): pass\n", "", UsageError, "do not bind"),
        ("import os\nos._exit(4)\n", "", RecordError, "exit code 4"),
        ("raise KeyError(1)\n", "", RecordError, "KeyError"),
    ],
)
def test_what_cannot_run_is_a_clear_error(source: str, arguments: str, error: type, complaint: str) -> None:
    with pytest.raises(error, match=complaint):
        record_source(source, "f", arguments)


def test_a_bad_target_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="FILE::FUNCTION"):
        record("letters.py")
    with pytest.raises(UsageError, match="cannot read"):
        record(f"{tmp_path}/none.py::f")
    (tmp_path / "a.py").write_text("def f(x): pass\n")
    with pytest.raises(UsageError, match="not a literal"):
        record(f"{tmp_path}/a.py::f", object())


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfdef f(x):\r\n    return x\r\n",
        b"# coding: latin-1\ndef f(x):\n    return x  # \xe9\n",
        b"def f(x): return x\r",
    ],
)
def test_a_file_is_read_as_python_reads_it(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "program.py"
    file.write_bytes(content)
    assert record(f"{file}::f", 3).result == "3"


def test_a_file_in_another_encoding_is_a_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_bytes(b"def f(x):\n    return '\xe9'\n")
    with pytest.raises(UsageError, match="it is not in UTF-8"):
        record(f"{file}::f", 3)


def test_a_forked_child_leaves_the_trace_to_its_parent() -> None:
    source = (
        "import os\ndef f():\n    p = os.fork()\n    a = 1\n    if p == 0:\n        return 'child'\n"
        "    os.waitpid(p, 0)\n    return 'parent'\n"
    )
    trace = record_source(source, "f", "")
    assert trace.result == "'parent'"
    assert [frame.line for frame in trace.frames] == [2, 3, 4, 5, 7, 8, 8]


def test_a_child_that_leaves_the_session_is_killed_too() -> None:
    source = (
        "import os, time\ndef f():\n    if os.fork() == 0:\n        os.setsid()\n"
        "        open('pid', 'w').write(str(os.getpid()))\n        time.sleep(30)\n"
        "    while not os.path.exists('pid') or not open('pid').read(): time.sleep(0.01)\n    return int(open('pid').read())\n"
    )
    result = record_source(source, "f", "").result
    assert result is not None
    assert not Path(f"/proc/{result}").exists()


def test_a_value_of_endless_parts_is_cut_in_time() -> None:
    source = "def f():\n    a = [0] * 64\n    for i in range(9):\n        a = [a] * 64\n    return 1\n"
    assert outcome(source) == ("returned", "")


def test_a_program_that_ends_at_its_top_level_is_a_clear_error() -> None:
    with pytest.raises(RecordError, match="SystemExit\\(3\\)"):
        record_source("import sys\nsys.exit(3)\ndef f(): pass\n", "f", "")
