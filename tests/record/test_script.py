"""Programs recorded by `python -m foretrace.record`: they run as ever, whatever they do, and are recorded from their first line."""

import os
import pty
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from foretrace.record.session import HAS_NATIVE
from foretrace.record.sink import read_output, tail_of
from foretrace.trace import Event, Outcome, Trace, from_segments, from_text, read_binary

FIB = "import sys\n\ndef fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n\nprint(fib(int(sys.argv[1])))\n"
WHO = """
import sys
print(sys.argv, sys.path[0], __name__, __file__, __package__, __spec__ and __spec__.name, type(__loader__), __cached__)
print(sorted(globals()), sys.modules["__main__"].__dict__ is globals(), type(__builtins__), __annotations__)
"""
ENDINGS = {
    "falls off its end": "x = 1",
    "code": "import sys; sys.exit(3)",
    "no code": "raise SystemExit",
    "message": "import sys; sys.exit('a message')",
    "true": "import sys; sys.exit(True)",
    "uncaught": "def f(x):\n    return 1 / x\ndef g():\n    try:\n        f(0)\n    except ZeroDivisionError as e:\n        raise KeyError('é') from e\ng()",
    "does not parse": "x = 1\ndef f(:\n",
    "indentation": "if 1:\nx = 2\n",
    "group": "raise ExceptionGroup('many', [ValueError(1), TypeError(2)])",
    "interrupt": "raise KeyboardInterrupt",
    "hook": "import sys\nsys.excepthook = lambda k, e, t: print('hook', k, e, t.tb_lineno, t.tb_next)\n\n1 / 0",
    "exit handlers": "import atexit\natexit.register(print, 'first')\natexit.register(lambda: print('second'))\n1 / 0",
    "a thread outlives it": "import threading, time\nthreading.Thread(target=lambda: (time.sleep(.1), print('late'))).start()\nprint('end')",
    "recursion": "def f():\n    return f()\ntry:\n    f()\nexcept RecursionError as e:\n    print(e)",
    "a child": "import os\nif os.fork() == 0:\n    print('child', flush=True)\n    raise SystemExit(4)\nprint(os.waitstatus_to_exitcode(os.wait()[1]))",
    "pickles": "import pickle\nclass C:\n    pass\nprint(type(pickle.loads(pickle.dumps(C()))) is C)",
    "future": "from __future__ import annotations\ndef f(x: nonsense): pass\nprint(f.__annotations__)",
    "closed streams": "import os, sys\nprint('out', flush=True)\nsys.stderr.close()\nsys.stdout.close()",
    "another folder": "import os, tempfile\nos.chdir(tempfile.gettempdir())",
}  # fmt: skip


RECORDERS = ["--native", "--reference"] if HAS_NATIVE else ["--reference"]


def run(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, cwd=folder, timeout=60)


def record(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return run("-m", "foretrace.record", *arguments, folder=folder)


def traces(file: Path) -> list[Trace]:
    return list(read_binary(read_output(file), partial=True))


@pytest.fixture
def fib(tmp_path: Path) -> Path:
    (tmp_path / "fib.py").write_text(FIB)
    return tmp_path / "fib.py"


@pytest.mark.parametrize("what", ENDINGS)
def test_a_program_ends_as_it_does_unrecorded(what: str, tmp_path: Path) -> None:
    if what == "recursion" and not HAS_NATIVE:
        pytest.skip("the reference is Python itself, and needs some of the stack")
    (tmp_path / "program.py").write_text(ENDINGS[what])
    expected = run("program.py", folder=tmp_path)
    ended = record("--quiet", "program.py", folder=tmp_path)
    assert (ended.stdout, ended.stderr, ended.returncode) == (expected.stdout, expected.stderr, expected.returncode)
    assert not tail_of(tmp_path / "program.ftb").exists()


@pytest.mark.parametrize(
    "target", ["program.py", "./package/tool.py", "-m package", "-m package.tool", "package", "package.zip"]
)
def test_a_program_finds_itself_as_it_does_unrecorded(target: str, tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    for file in (tmp_path / "program.py", package / "__main__.py", package / "tool.py"):
        file.write_text(WHO)
    (package / "__init__.py").write_text("")
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as archive:
        archive.writestr("__main__.py", WHO)
    arguments = [*target.split(), "-x", "--form", "", "--", "a b"]
    expected = run(*arguments, folder=tmp_path)
    ended = record("--quiet", *arguments, folder=tmp_path)
    assert (ended.stdout, ended.stderr, ended.returncode) == (expected.stdout, "", 0)
    assert expected.stdout.startswith("['")


@pytest.mark.parametrize("recorder", RECORDERS)
def test_the_top_level_is_the_first_call(fib: Path, recorder: str) -> None:
    ended = record(recorder, "fib.py", "5", folder=fib.parent)
    assert ended.stdout == "5\n"
    (trace,) = traces(fib.with_suffix(".ftb"))
    assert (trace.header.entry, trace.header.path, trace.header.source) == ("<module>", str(fib), FIB)
    assert trace.header.outcome is Outcome.RETURNED
    assert [f.function for f in trace.frames if f.event is Event.CALL] == ["<module>"] + ["fib"] * 15
    assert ended.stderr.startswith(
        f"recorded 1 trace, {len(trace)} events, {fib.with_suffix('.ftb').stat().st_size} bytes in "
    )
    assert ended.stderr.endswith(" s: fib.ftb\n")


def test_what_the_top_level_calls_is_chosen(fib: Path) -> None:
    (fib.parent / "other.py").write_text("import fib\ndef f(n):\n    return fib.fib(n)\nprint(f(4))\n")

    def functions(*options: str) -> list[str]:
        assert record(*options, "-o", "out.ftb", "other.py", "2", folder=fib.parent).returncode == 0
        return [f.function for t in traces(fib.parent / "out.ftb") for f in t.frames if f.event is Event.CALL]

    assert functions("--include", "other.py") == ["<module>", "f"]
    assert functions("--exclude", "*/other.py") == ["<module>"] + ["fib"] * 3 + ["fib"] * 9
    assert functions("--depth", "1") == ["<module>", "<module>", "f"]
    some = functions("--step-in", "0.5", "--seed", "3")
    assert 1 < len(some) < 15
    assert some == functions("--step-in", "0.5", "--seed", "3")


@pytest.mark.parametrize("recorder", RECORDERS)
def test_a_recorder_does_not_record_itself(tmp_path: Path, recorder: str) -> None:
    (tmp_path / "program.py").write_text("import shlex\nshlex.quote('a')\n")
    record("--include", "*", recorder, "program.py", folder=tmp_path)
    assert [t.header.entry for t in traces(tmp_path / "program.ftb")] == ["<module>"]


def test_budgets_are_of_one_trace(fib: Path) -> None:
    record("--max-events", "20", "fib.py", "5", folder=fib.parent)
    (trace,) = traces(fib.with_suffix(".ftb"))
    assert (len(trace), trace.header.outcome, trace.header.detail) == (20, Outcome.TRUNCATED, "events")
    record("--max-bytes", "500", "fib.py", "5", folder=fib.parent)
    assert traces(fib.with_suffix(".ftb"))[0].header.detail == "bytes"


def test_text_is_what_a_model_reads(fib: Path) -> None:
    record("--form", "wire", "fib.py", "5", folder=fib.parent)
    record("fib.py", "5", folder=fib.parent)
    trace = from_segments(from_text((fib.with_suffix(".txt")).read_text()))
    (whole,) = traces(fib.with_suffix(".ftb"))
    assert [(f.event, f.source, f.locals) for f in trace.frames] == [(f.event, f.source, f.locals) for f in whole.frames]


LEAVE = "def f(n):\n    return n + 1\nfor i in range(50):\n    x = f(i)\n"


@pytest.mark.parametrize("form", ["binary", "wire"])
@pytest.mark.parametrize("ending", ["os._exit(3)", "os.kill(os.getpid(), 9)", "os.execvp('true', ['true'])"])
def test_what_ends_at_once_is_still_readable(ending: str, form: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(f"import os\n{LEAVE}{ending}\n")
    ended = record("--form", form, "-o", "out", "program.py", folder=tmp_path)
    assert ended.returncode == {"os._exit(3)": 3, "os.kill(os.getpid(), 9)": -9}.get(ending, 0)
    if form == "wire":
        assert read_output(tmp_path / "out").decode().count("<|return_sep|>") == 50
        return
    (trace,) = traces(tmp_path / "out")
    assert (trace.header.outcome, trace.header.detail) == (Outcome.TRUNCATED, "cut off")
    assert trace.frames[-1].source == (ending if HAS_NATIVE else LEAVE.splitlines()[2])  # the reference loses one event


def test_a_child_neither_writes_nor_removes_what_is_its_parents(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import os, sys\ndef f(): return os.getpid()\nif os.fork() == 0:\n    f()\n    sys.exit()\nos.wait()\nf()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ended = record("program.py", folder=tmp_path)
    assert ended.stderr == ""
    (trace,) = traces(tmp_path / "program.ftb")
    assert [f.function for f in trace.frames if f.event is Event.CALL] == ["<module>", "f"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["none.py"], "cannot read none.py: No such file"),
        (["-m", "none.such"], "cannot run none.such: "),
        (["-m", "package"], "cannot run package: No module named package.__main__"),
        (["package"], "package has no __main__.py"),
        (["-o", "none/out", "fib.py"], "cannot write none/out: No such file"),
        (["--depth", "-1", "fib.py"], "not in the range"),
        ([], "Missing argument"),
    ],
)  # fmt: skip
def test_a_users_error_is_a_message(fib: Path, arguments: list[str], complaint: str) -> None:
    (fib.parent / "package").mkdir()
    (fib.parent / "package" / "__init__.py").write_text("")
    ended = record(*arguments, folder=fib.parent)
    assert complaint in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.returncode in (2, 3)


def test_a_program_may_have_a_recorder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "from foretrace.record import Recorder\ndef f(): return 1\nwith Recorder() as r:\n    f()\nprint(len(r.traces))\n"
    )
    ended = record("program.py", folder=tmp_path)
    assert (ended.stdout, ended.returncode) == ("1\n", 0)
    assert ended.stderr.endswith("error: the recording is not complete: the program started a recorder of its own\n")
    (trace,) = traces(tmp_path / "program.ftb")
    assert trace.frames[-1].line == 3


def test_help_has_examples(tmp_path: Path) -> None:
    ended = record("--help", folder=tmp_path)
    assert ended.returncode == 0
    assert "python -m foretrace.record fib.py 20" in ended.stdout


def test_a_recording_of_nothing_says_why(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()\n")
    ended = record("--include", "elsewhere", "program.py", folder=tmp_path)
    assert ended.stderr.startswith("recorded 0 traces, 0 events, ")
    assert "; 1 other thread not recorded\nnothing that ran has a source file in scope" in ended.stderr


@pytest.mark.parametrize("forks", [False, True])
def test_a_terminal_shows_that_a_long_run_goes_on(tmp_path: Path, forks: bool) -> None:
    """On a thread that the program does not find, and that is gone before a fork: from 3.12 on that would be a warning."""
    (tmp_path / "program.py").write_text(
        "import os, threading, time\nfrom foretrace.record import script\nassert threading.active_count() == 1\n"
        + (
            "if os.fork() == 0:\n    os._exit(0)\nassert len(os.listdir('/proc/self/task')) == 1, 'threads'\n"
            if forks
            else "time.sleep(.5)\n"
        )
    )
    code = "import foretrace.record.script as s, foretrace.record.__main__ as m; s._Progress.FIRST = .15; m.main()"
    master, slave = pty.openpty()
    command = [sys.executable, "-W", "error", "-c", code, "program.py"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=slave, stderr=slave)
    os.close(slave)
    text = b""
    try:
        while piece := os.read(master, 4096):
            text += piece
    except OSError:  # the other end is closed
        pass
    os.close(master)
    assert process.wait(30) == 0, text
    shown = [line for line in text.decode().splitlines() if line.startswith("recording for ")]
    assert bool(shown) is not forks
    assert text.decode().splitlines()[-1].startswith("recorded 1 trace, ")


def test_an_interrupt_from_outside_ends_it_and_keeps_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import time\nopen('ready', 'w').close()\nwhile True:\n    time.sleep(.01)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "foretrace.record", "program.py"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a job in the background ignores it
    )
    while not (tmp_path / "ready").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert text.splitlines()[0] == "Traceback (most recent call last):"
    assert text.splitlines()[1].startswith(f'  File "{tmp_path}/program.py", line ')
    (trace,) = traces(tmp_path / "program.ftb")
    assert trace.exception == "KeyboardInterrupt()"
