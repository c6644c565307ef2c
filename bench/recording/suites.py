"""Runs the standard library's own tests unrecorded and recorded, and says which of them end differently.

    python bench/recording/suites.py                             # all suites, some minutes
    python bench/recording/suites.py test_generators test_enum
    python bench/recording/suites.py --seconds 600               # the most that one process may take

Every suite runs in two processes of its own, the second under the recorder in C; in scope are the suite, its doctests and the
modules that it tests. What was recorded is read back. Where tests end differently the suite runs once more without a recorder:
a test that then differs from itself is counted as unsteady. Exit code 1 if any other test differs, a process crashes or a
recording cannot be read.
"""

import argparse
import contextlib
import importlib.util
import json
import linecache
import os
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from foretrace.record import Scope
from foretrace.record.session import open_session
from foretrace.trace import Limits, read_binary

SUITES: dict[str, tuple[str, ...]] = {
    "test_abc": ("abc", "_py_abc"),
    "test_asyncgen": ("asyncio.runners", "asyncio.tasks"),
    "test_augassign": (),
    "test_class": (),
    "test_compare": (),
    "test_context": (),
    "test_contextlib": ("contextlib",),
    "test_contextlib_async": ("contextlib",),
    "test_copy": ("copy",),
    "test_coroutines": ("asyncio.runners", "asyncio.tasks"),
    "test_dataclasses": ("dataclasses",),
    "test_decorators": (),
    "test_descr": (),
    "test_dictcomps": (),
    "test_enum": ("enum",),
    "test_except_star": (),
    "test_exception_group": (),
    "test_exception_hierarchy": (),
    "test_exception_variations": (),
    "test_exceptions": (),
    "test_extcall": (),
    "test_fstring": (),
    "test_funcattrs": (),
    "test_functools": ("functools",),
    "test_generator_stop": (),
    "test_generators": (),
    "test_genexps": (),
    "test_grammar": (),
    "test_heapq": ("heapq",),
    "test_iter": (),
    "test_keywordonlyarg": (),
    "test_listcomps": (),
    "test_metaclass": (),
    "test_named_expressions": (),
    "test_opcodes": (),
    "test_patma": (),
    "test_pep380": (),
    "test_positional_only_arg": (),
    "test_property": (),
    "test_raise": (),
    "test_scope": (),
    "test_setcomps": (),
    "test_string_literals": (),
    "test_subclassinit": (),
    "test_super": (),
    "test_type_params": (),
    "test_typechecks": (),
    "test_types": ("types",),
    "test_unpack": (),
    "test_unpack_ex": (),
    "test_weakref": ("weakref", "_weakrefset"),
    "test_weakset": ("_weakrefset",),
    "test_with": (),
    "test_yield_from": (),
}
"""And the modules that each tests; those that this version of Python lacks are left out."""

EXCLUDED = {
    "ScopeTests.testInteractionWithTraceFunc": "sets a trace function",
    "ScopeTests.testLocalsClass_WithTrace": "sets a trace function",
    "TestTracing": "sets trace functions",
}
"""Tests, or classes of tests, that are about trace functions, of which a thread has one on Python 3.11; and why."""

FOLDER = "/dev/shm" if Path("/dev/shm").is_dir() else None
LIMITS = Limits(max_events=1_000_000, max_bytes=10**9)


@dataclass
class Ran:
    """What one process says of a suite."""

    outcomes: dict[str, str] = field(default_factory=dict)
    """By the test's id."""
    excluded: int = 0
    events: int = 0
    rows: int = 0
    """Frames that were read back."""
    failure: str = ""
    """Why there is nothing, if the process crashed or what it recorded cannot be read."""


def tests_of(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    """All tests of a suite."""
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        else:
            yield test


def outcomes_of(tests: list[unittest.TestCase]) -> dict[str, str]:
    """Runs tests; how each ended, by its id, and each part of a test that failed."""
    outcomes, result = {test.id(): "ok" for test in tests}, unittest.TestResult()
    unittest.TestSuite(tests).run(result)
    outcomes |= {test.id(): f"skip: {reason}" for test, reason in result.skipped}
    outcomes |= {test.id(): "expected failure" for test, _ in result.expectedFailures}
    outcomes |= {test.id(): "unexpected success" for test in result.unexpectedSuccesses}
    return outcomes | {
        test.id(): f"failed: {text.strip().splitlines()[-1]}" for test, text in result.failures + result.errors
    }


def is_excluded(test: unittest.TestCase) -> bool:
    """Whether a test is about trace functions."""
    method = ".".join(test.id().split(".")[-2:])
    return method in EXCLUDED or method.split(".")[0] in EXCLUDED


def files_of(module: ModuleType, tested: tuple[str, ...]) -> tuple[str, ...]:
    """The files in scope."""
    files = [*getattr(module, "__path__", ()), module.__file__]
    for name in tested:
        with contextlib.suppress(ImportError):
            files.append(importlib.import_module(name).__file__)
    return tuple(filter(None, files))


def lines_in(files: tuple[str, ...]) -> Callable[[str], list[str] | None]:
    """What gives the lines of files in scope, and of doctests, which `doctest` lends to `linecache` while they run."""
    of_files = Scope(include=files).reader()

    def lines_of(filename: str) -> list[str] | None:
        return (linecache.getlines(filename) or None) if filename.startswith("<doctest ") else of_files(filename)

    return lines_of


def run_here(name: str, records: bool) -> Ran:
    """Runs a suite in this process."""
    module = importlib.import_module(f"test.{name}")
    all_tests = list(tests_of(unittest.defaultTestLoader.loadTestsFromModule(module)))
    tests = [test for test in all_tests if not is_excluded(test)]
    ran = Ran(excluded=len(all_tests) - len(tests))
    if not records:
        ran.outcomes = outcomes_of(tests)
        return ran
    path = Path("recording.ftb").absolute()
    lines_of = lines_in(files_of(module, SUITES.get(name, ())))
    with path.open("wb") as file:
        session = open_session(lines_of, LIMITS, output=file.fileno(), many=True, when_full="mute", native=True)
        session.start()
        try:
            ran.outcomes = outcomes_of(tests)
        finally:
            session.stop()
    ran.events = session.events
    ran.rows = sum(len(trace.frames) for trace in read_binary(path.read_bytes()))
    if ran.rows != ran.events:
        ran.failure = f"{ran.events:,} events were recorded, {ran.rows:,} read"
    return ran


def run_in_child(name: str, records: bool, seconds: float) -> Ran:
    """Runs a suite in a process and a folder of its own."""
    options = ["-W", "ignore", "-X", "faulthandler"]
    command = [sys.executable, *options, __file__, "--child", "recorded" if records else "plain", name]
    path = os.pathsep.join(filter(None, (str(Path(__file__).parents[2] / "src"), os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": "0"}
    with tempfile.TemporaryDirectory(prefix="foretrace-", dir=FOLDER) as folder:
        try:
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            return Ran(failure=f"took more than {seconds:g} s")
        if done.returncode:
            return Ran(failure=f"exit code {done.returncode}: {done.stderr.decode(errors='replace').strip()[-2000:]}")
        return Ran(**json.loads(Path(folder, "ran.json").read_text(encoding="utf-8")))


def compared(name: str, seconds: float) -> tuple[Ran, dict[str, str], int]:
    """The recorded run, the tests that end differently and how, and how many of them do so without a recorder too."""
    plain, recorded = (run_in_child(name, records, seconds) for records in (False, True))
    if plain.failure or recorded.failure:
        recorded.failure = recorded.failure or f"unrecorded: {plain.failure}"
        return recorded, {}, 0
    differing = differences(plain, recorded)
    again = differences(plain, run_in_child(name, False, seconds)) if differing else {}
    return recorded, {test: how for test, how in differing.items() if test not in again}, len(differing.keys() & again)


def differences(ours: Ran, theirs: Ran) -> dict[str, str]:
    """How each test ended that ended differently."""
    ends = {test: (ours.outcomes.get(test), theirs.outcomes.get(test)) for test in ours.outcomes | theirs.outcomes}
    return {test: f"{a}, recorded: {b}" for test, (a, b) in ends.items() if a != b}


def exists(name: str) -> bool:
    """Whether this version of Python has a suite."""
    return importlib.util.find_spec(f"test.{name}") is not None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", default=list(SUITES), metavar="SUITE", help="modules of `test`; by default all")
    parser.add_argument("--seconds", type=float, default=300, help="of one process, at most (300)")
    parser.add_argument("--child", choices=("plain", "recorded"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        ran = run_here(given.suites[0], given.child == "recorded")
        Path("ran.json").write_text(json.dumps(vars(ran)), encoding="utf-8")
        return 0
    print(f"{'suite':28} {'tests':>6} {'excluded':>8} {'recorded events':>15} {'differing':>9} {'unsteady':>8}")
    tests = events = found = 0
    for name in filter(exists, given.suites):
        ran, differing, unsteady = compared(name, given.seconds)
        print(
            f"{name:28} {len(ran.outcomes):6} {ran.excluded:8} {ran.events:15,} {len(differing):9} {unsteady:8}", flush=True
        )
        for told in (*(f"{test}: {how}" for test, how in differing.items()), *filter(None, [ran.failure])):
            print(f"    {told}", flush=True)
        tests, events = tests + len(ran.outcomes), events + ran.events
        found += len(differing) + bool(ran.failure)
    print(f"Python {sys.version.split()[0]}: {tests:,} tests, {events:,} events, {found} findings")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
