"""`pytest --record[=DIR]`: what each test does, line by line, a file a test.

    pytest --record tests/test_fib.py
    foretrace show .foretrace/tests.test_fib.py-test_fib.ftb

Only the test function's own call is recorded: fixtures are not, nor are coroutines and `unittest.TestCase`s, which pytest
calls in ways of their own. pytest imports this module at every start, so what records is imported when it is asked for.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from foretrace.record.recorder import Recorder

FOLDER = ".foretrace"
MAX_EVENTS = 100_000
CHARACTERS_AN_EVENT = 100
_UNSAFE = re.compile(r"[^\w.=-]", re.ASCII)
_LONGEST = 180


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("foretrace", "recording what tests do (foretrace)")
    add, prefix = group.addoption, "foretrace_"
    add(
        "--record",
        nargs="?",
        const=FOLDER,
        metavar="DIR",
        dest=prefix + "folder",
        help=f"Record each test into a file in DIR (default: {FOLDER}). Write --record=DIR, or --record after the tests.",
    )
    add(
        "--record-include",
        action="append",
        default=[],
        metavar="PATTERN",
        dest=prefix + "include",
        help="Record these only.",
    )
    add("--record-exclude", action="append", default=[], metavar="PATTERN", dest=prefix + "exclude", help="Not these.")
    add("--record-depth", type=int, default=0, metavar="N", dest=prefix + "depth", help="Record calls this deep.")
    add(
        "--record-step-in",
        type=float,
        default=1.0,
        metavar="PROBABILITY",
        dest=prefix + "step_in",
        help="Record only so many of the calls.",
    )
    add(
        "--record-max-events",
        type=int,
        default=MAX_EVENTS,
        metavar="N",
        dest=prefix + "max_events",
        help=f"Events of one trace (default: {MAX_EVENTS}).",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Records if it was asked for."""
    folder = config.getoption("foretrace_folder")
    if folder is not None:
        _check_folder(folder)
        config.pluginmanager.register(Recordings(config, folder), "foretrace-recorder")


class Recordings:
    """The hooks of a run that is recorded."""

    def __init__(self, config: pytest.Config, folder: str) -> None:
        from foretrace.record.scope import Scope
        from foretrace.trace import Limits

        names = ("include", "exclude", "depth", "step_in", "max_events")
        include, exclude, depth, step_in, events = (config.getoption(f"foretrace_{name}") for name in names)
        self._scope = Scope(include=tuple(include), exclude=tuple(exclude), depth=depth, step_in=step_in)
        self._limits = Limits(max_events=events, max_bytes=CHARACTERS_AN_EVENT * events)
        self._name, self._folder = folder, Path(config.invocation_params.dir, folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._counts: dict[str, tuple[int, int]] = {}
        self._total = [0, 0, 0]
        """Tests, events, traces."""

    @pytest.hookimpl(hookwrapper=True, trylast=True)  # the innermost of all, and of a kind that every pytest knows
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Iterator[None]:
        """Records the call of a test function."""
        recorder = None if _is_async(pyfuncitem.obj) else self._start(pyfuncitem)
        yield
        if recorder is not None:
            self._stop(recorder, pyfuncitem)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: "pytest.CallInfo[None]") -> Iterator[None]:
        """Puts the counts into the report: with xdist, that is what comes back from the process that ran the test."""
        outcome: Any = yield
        if call.when == "call" and item.nodeid in self._counts:
            outcome.get_result().foretrace = self._counts.pop(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Adds up."""
        if counts := getattr(report, "foretrace", None):
            self._total = [total + count for total, count in zip(self._total, (1, *counts), strict=True)]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """One line at the end."""
        from foretrace.record.script import counted

        tests, events, traces = map(counted, self._total, ("test", "event", "trace"))
        terminalreporter.write_line(f"recorded {tests}, {events}, {traces} in {self._name}")

    def _start(self, item: pytest.Function) -> "Recorder | None":
        from foretrace.record.recorder import Recorder
        from foretrace.record.session import give_way

        recorder = Recorder(self._scope, limits=self._limits, output=self._folder / file_name(item.nodeid))
        try:
            recorder.__enter__()
        except (RuntimeError, OSError) as error:  # such as another recorder, which a fixture started
            item.warn(pytest.PytestWarning(f"{item.nodeid} is not recorded: {error}"))
            return None
        give_way(recorder.session.stop)  # a test of a recorder starts its own
        return recorder

    def _stop(self, recorder: "Recorder", item: pytest.Function) -> None:
        from foretrace.record.session import give_way

        give_way(None)
        try:
            recorder.__exit__()
        except OSError as error:
            item.warn(pytest.PytestWarning(f"the recording of {item.nodeid} is not complete: {error}"))
        self._counts[item.nodeid] = recorder.session.events, recorder.session.traces


def file_name(test: str) -> str:
    """The file that a test is recorded in: `tests/a.py::TestB::test_c[1-x]` in `tests.a.py-TestB-test_c-1-x.ftb`.

    A name that does not say all that the test's does ends with a part of its hash.
    """
    path, _, rest = test.partition("::")
    function, bracket, parameters = rest.partition("[")
    plain = f"{path.replace('/', '.')}-{function.replace('::', '-')}" + (f"-{parameters[:-1]}" if bracket else "")
    safe = _UNSAFE.sub("_", plain)[:_LONGEST]
    if safe != plain:
        from hashlib import sha256

        safe += "-" + sha256(test.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return safe + ".ftb"


def _check_folder(folder: str) -> None:
    """Refuses `--record tests`, where `tests` was meant as what to run."""
    path = Path(folder)
    taken = path.is_file() or "::" in folder
    if path.is_dir() and folder != FOLDER:
        taken = any(path.iterdir()) and not any(path.glob("*.ftb"))
    if taken:
        raise pytest.UsageError(
            f"--record {folder} would write recordings into {folder}, where other things are; if these are tests to run, "
            f"write --record={FOLDER} {folder}"
        )


def _is_async(function: Any) -> bool:
    function = inspect.unwrap(function)
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
