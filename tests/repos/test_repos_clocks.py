"""Tests that read a clock or wait are told from those that only have to do with dates, or with clocks of their own."""

from foretrace.repos.clocks import timed_tests

SOURCE = """
import datetime
import time as t
from time import perf_counter, strftime
from timeit import timeit as how_long

import helpers
from helpers import assert_linear, assert_sorted


def test_plain():
    assert sorted([2, 1]) == [1, 2]


def test_measures():
    start = t.monotonic()
    assert t.monotonic() - start < 1


def test_measures_by_another_name():
    before = perf_counter
    assert before() > 0


def test_sleeps():
    t.sleep(0.1)


def test_how_long():
    assert how_long("pass") < 1


def test_dates():
    assert t.strftime("%Y") and strftime("%Y") and datetime.time(17, 35) and t.gmtime(0)


def test_own_clock(clock):
    assert clock.time() + clock.sleep(1)


def measured():
    return lambda: t.process_time_ns()


def twice():
    return measured() and measured()


def test_by_helpers():
    assert twice()


@fixture
def stopwatch():
    return perf_counter()


def test_by_fixture(stopwatch):
    assert stopwatch


def test_by_helper_of_another_file():
    assert_linear(print)


def test_by_module_of_helpers():
    helpers.assert_linear(print)


def test_by_other_helper():
    assert_sorted([1, 2])


def test_by_fixture_of_conftest(timer):
    assert timer


class TestMany:
    def check(self):
        from time import time
        return time()

    def test_by_method(self):
        assert self.check()

    def test_plain(self):
        assert True

    class TestInner:
        def test_plain(self):
            assert perf_counter()


class TestInherits(TestMany):
    pass


if t:
    def test_where_it_is_conditional():
        assert t.time_ns()
"""
HELPERS = """
import time

def now(): return time.perf_counter()
def assert_linear(f): assert f(now()) or True
def assert_sorted(x): assert sorted(x) == x
"""
CONFTEST = "from helpers import now\n\n@fixture\ndef timer():\n    return now()\n"
NAMES = [
    line.split()[1].split("(")[0] for line in SOURCE.splitlines() if line.startswith(("def test", "    def test_where"))
]
METHODS = [
    "TestMany::test_by_method",
    "TestMany::test_plain",
    "TestMany::TestInner::test_plain",
    "TestInherits::test_by_method",
]
STEADY = {"test_plain", "test_dates", "test_own_clock", "test_by_other_helper", "TestMany::test_plain"}


def timed(source: str, *names: str, **others: str) -> set[str]:
    files = {"tests/test_a.py": source, **{f"tests/{name}.py": text for name, text in others.items()}}
    tests = [f"tests/test_a.py::{name}" for name in names]
    return {test.partition("::")[2] for test in timed_tests(tests, files)}


def test_who_has_to_do_with_time() -> None:
    names = [*NAMES, *METHODS]
    assert len(names) == 18
    assert set(names) - timed(SOURCE, *names, helpers=HELPERS, conftest=CONFTEST) == STEADY


def test_parameters_are_no_part_of_a_name() -> None:
    assert timed(SOURCE, "test_sleeps[1-a::b]", "test_plain[x]") == {"test_sleeps[1-a::b]"}


def test_the_same_name_elsewhere_is_another_test() -> None:
    other = "def test_sleeps():\n    assert True\n"
    tests = ["tests/test_a.py::test_sleeps", "tests/test_b.py::test_sleeps", "a.py::a.f"]
    assert timed_tests(tests, {"tests/test_a.py": SOURCE, "tests/test_b.py": other}) == {"tests/test_a.py::test_sleeps"}


def test_what_does_not_parse_has_no_clock() -> None:
    for text in ("def test_a(:\n", "x = 1\0", "(" * 5000, ""):
        assert timed(text, "test_a") == set()
