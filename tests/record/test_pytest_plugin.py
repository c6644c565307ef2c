"""`pytest --record`: every test is recorded, and passes, fails and prints as it does unrecorded."""

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from foretrace.record.pytest_plugin import file_name
from foretrace.trace import Event, Outcome, Trace, read_binary

TESTS = """
import sys
import pytest
from foretrace.record import Recorder, record_program
from calc import double

@pytest.fixture
def four():
    yield double(2)
    double(3)

class TestDouble:
    @pytest.mark.parametrize("n", [1, "a/b"])
    def test_twice(self, n, four):
        assert double(n) == n * 2

def test_fails():
    assert double(1) == 3

async def test_waits():
    double(1)

def test_skips():
    pytest.skip("today")

def test_of_recorders():
    with Recorder() as recorder:
        double(1)
    assert len(recorder.traces) == 1
    assert record_program("def f():\\n    return 1\\n", "f", "").result == "1"

@pytest.fixture
def recorder():
    with Recorder() as recorder:
        yield recorder

def test_within_a_recorder(recorder):
    double(1)

def test_of_a_trace_function():
    seen = []
    def trace(frame, event, argument):
        seen.append(event)
        return trace
    sys.settrace(trace)
    double(1)
    sys.settrace(None)
    assert seen == ["call", "line", "return"]
"""
PLUGIN = ("-p", "foretrace.record.pytest_plugin", "-p", "no:cacheprovider")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_calc.py").write_text(TESTS)
    (tmp_path / "calc.py").write_text("def double(x):\n    return x * 2\n")
    return tmp_path


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", *PLUGIN, *arguments]
    variables = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=variables, timeout=60)


def recorded(folder: Path) -> dict[str, list[Trace]]:
    return {file.stem: list(read_binary(file.read_bytes())) for file in sorted(folder.iterdir())}


def failures(ended: subprocess.CompletedProcess[str]) -> str:
    """What is printed of the failing tests."""
    found = re.search(r"=+ FAILURES =+\n(.*?)\n(=+ (warnings|short)|recorded)", ended.stdout, re.DOTALL)
    assert found
    return found[1]


def calls(traces: list[Trace]) -> list[str]:
    return [f.function for trace in traces for f in trace.frames if f.event is Event.CALL]


def test_tests_are_recorded_and_end_as_ever(project: Path) -> None:
    plain, ended = run_pytest(project), run_pytest(project, "--record")
    assert ended.returncode == plain.returncode == 1
    assert "2 failed, 5 passed, 1 skipped" in ended.stdout
    assert failures(ended) == failures(plain)
    assert "assert 2 == 3" in failures(plain)
    traces = recorded(project / ".foretrace")
    assert calls(traces["tests.test_calc.py-TestDouble-test_twice-1"]) == ["TestDouble.test_twice", "double"]
    assert calls(traces["tests.test_calc.py-test_fails"]) == ["test_fails", "double"]
    assert traces["tests.test_calc.py-test_fails"][0].header.outcome is Outcome.RAISED
    assert traces["tests.test_calc.py-test_skips"][0].header.outcome is Outcome.RAISED
    assert calls(traces["tests.test_calc.py-test_of_recorders"]) == ["test_of_recorders"]
    assert set(traces) == {
        "tests.test_calc.py-TestDouble-test_twice-1",
        file_name("tests/test_calc.py::TestDouble::test_twice[a/b]").removesuffix(".ftb"),
        *(f"tests.test_calc.py-test_{name}" for name in ("fails", "skips", "of_recorders", "of_a_trace_function")),
    }
    events = sum(len(t) for test in traces.values() for t in test)
    assert f"recorded 6 tests, {events} events, 6 traces in .foretrace\n" in ended.stdout
    assert "test_within_a_recorder is not recorded: another recorder is recording" in ended.stdout


def test_what_is_recorded_is_chosen(project: Path) -> None:
    def functions(*options: str) -> list[str]:
        run_pytest(project, "--record=out", *options, "-k", "twice and 1")
        (traces,) = recorded(project / "out").values()
        return calls(traces)

    assert functions("--record-include", "calc.py") == ["double"]
    assert functions("--record-exclude", "calc.py") == ["TestDouble.test_twice"]
    assert functions("--record-step-in", "0") == ["TestDouble.test_twice"]
    assert functions("--record-depth", "0") == ["TestDouble.test_twice", "double"]
    assert functions("--record-depth", "1") == ["TestDouble.test_twice", "double"]
    run_pytest(project, "--record=out", "--record-max-events=3", "-k", "twice and 1")
    ((trace,),) = recorded(project / "out").values()
    assert trace.header.detail == "events"


def test_without_the_option_nothing_is_imported(project: Path) -> None:
    (project / "conftest.py").write_text(
        "import sys\ndef pytest_unconfigure():\n    print([m for m in sys.modules if m.startswith('foretrace.')])\n"
    )
    (project / "tests" / "test_calc.py").write_text("def test_nothing(): pass\n")
    ended = run_pytest(project, "-s")
    assert ended.stdout.splitlines()[-1] == "['foretrace.record', 'foretrace.record.pytest_plugin']"
    assert not (project / ".foretrace").exists()


@pytest.mark.parametrize("what", ["tests", "calc.py", "tests/test_calc.py::test_fails"])
def test_what_to_run_is_not_mistaken_for_where_to_write(project: Path, what: str) -> None:
    ended = run_pytest(project, "--record", what)
    assert f"write --record=.foretrace {what}" in ended.stderr
    assert ended.returncode == pytest.ExitCode.USAGE_ERROR


def test_every_test_has_a_file_of_its_own() -> None:
    tests = [
        "a.py::b",
        "a.py::b[c]",
        "a.py::b[c/d]",
        "a.py::b[c_d]",
        "a.py::b[c d]",
        "a.py::b[" + "x" * 300 + "]",
        "a.py::b[é]",
    ]
    names = [file_name(test) for test in tests]
    assert names[:2] == ["a.py-b.ftb", "a.py-b-c.ftb"]
    assert len(set(names)) == len(names)
    assert all(len(name) < 255 and "/" not in name and name.isascii() for name in names)


def test_pytest_finds_the_plugin() -> None:
    (found,) = {e.value for e in entry_points(group="pytest11") if e.name == "foretrace"} or {None}
    if found is None:
        pytest.skip("foretrace was installed before it had a plugin; install it again")
    assert found == "foretrace.record.pytest_plugin"
