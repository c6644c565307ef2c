"""Pytest without its runner: tests are collected once, and run by whoever asks, here or in a fork.

def work(session, items):
records, ended = child(lambda tell: tell(session.run(items[0], None)), seconds=5)
collect(["tests"], work)
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Record = dict[str, Any]
Tell = Callable[[Record], None]
ROOT = os.path.realpath(os.getcwd()) + os.sep
PLAIN = "--assert=plain"
"""Test files need not be rewritten where nobody reads what their assertions say."""
TEST_SECONDS = 10.0
"""Of the processor, for one test: a mistake may make it run for ever."""
_MEMORY = 3 << 30
"""Bytes of address space of a fork."""
_WAIT = 5
"""As many times its seconds of the processor may a fork take by the clock, for others work on the machine, too."""


class Session:
    """A plugin: hands the collected tests to `work`, which runs those that it wants, in its order."""

    def __init__(self, work: Callable[[Session, list[Any]], None]) -> None:
        self._work = work
        self._reports: list[Any] = []
        self._raised: Any = None
        self.uncollected: dict[str, str] = {}

    def pytest_collectreport(self, report: Any) -> None:
        """Notes what cannot be imported."""
        if report.failed:
            self.uncollected[report.nodeid] = str(report.longrepr)[-3000:]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> bool:
        """Takes the place of pytest's loop."""
        self._work(self, session.items)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Any:
        """The report of a failure without its text, which takes longer to write than most tests to run."""
        if getattr(item, "_excinfo", None):  # where pytest keeps what a test of unittest raised until it asks for it
            call.excinfo = item._excinfo.pop(0)
        if call.excinfo is None or isinstance(call.excinfo.value, pytest.skip.Exception):
            return None
        self._raised = call.excinfo
        keywords: Any = dict.fromkeys(item.keywords, 1)
        return pytest.TestReport(item.nodeid, item.location, keywords, "failed", "failed", call.when)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keeps the reports of a test's phases."""
        self._reports.append(report)

    def run(self, item: Any, following: Any) -> Record:
        """Runs one test: `outcome`, `seconds` and, if it failed, what was raised and where."""
        self._reports, self._raised, began = [], None, time.perf_counter()
        with _alarm(TEST_SECONDS):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        record = {"test": item.nodeid, "outcome": self._outcome(), "seconds": round(time.perf_counter() - began, 5)}
        if record["outcome"] == "failed" and self._raised is not None:
            record.update(_error(self._raised))
        return record

    def _outcome(self) -> str:
        if any(report.failed for report in self._reports):
            return "failed"
        if any(report.skipped or hasattr(report, "wasxfail") for report in self._reports):
            return "other"
        return "passed" if len(self._reports) >= 3 else "failed"


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Makes what takes longer fail, by the processor's clock; again and again, should it be caught."""

    def ring(*_: Any) -> None:
        raise pytest.fail.Exception(f"its {seconds:g} seconds are over", pytrace=False)

    signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def collect(arguments: list[str], work: Callable[[Session, list[Any]], None], *more: str) -> Session:
    """Collects the tests and calls `work(session, items)`, once."""
    session = Session(work)
    pytest.main(["-p", "no:cacheprovider", "--continue-on-collection-errors", *more, *arguments], plugins=[session])
    return session


def writer(output: int) -> Tell:
    """What writes records to a descriptor, each as a line."""

    def tell(record: Record) -> None:
        data = json.dumps(record).encode("ascii") + b"\n"
        while data:
            data = data[os.write(output, data) :]

    return tell


def child(work: Callable[[Tell], None], seconds: float) -> tuple[list[Record], bool]:
    """Runs `work(tell)` in a fork, for so many seconds of the processor: what it told, and whether it came to its end."""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        os.close(reading)
        _become(work, writer(writing), seconds)
    os.close(writing)
    data, is_all = _read(reading, time.monotonic() + _WAIT * seconds)
    # It is not reaped before its group is killed: another process could have its number by then.
    how = os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT) if is_all else None
    ended = how is not None and how.si_code == os.CLD_EXITED
    for kill in (os.killpg, os.kill):  # whatever it started, too
        try:
            kill(process, signal.SIGKILL)
        except OSError:
            continue
    os.close(reading)
    os.waitpid(process, 0)
    records = []
    for line in data.split(b"\n")[:-1]:
        try:
            records.append(json.loads(line))
        except ValueError:
            continue  # a test wrote into our pipe
    return records, ended


def _become(work: Callable[[Tell], None], tell: Tell, seconds: float) -> None:
    """What a fork does."""
    os.setpgid(0, 0)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        limit_processor(seconds)
        work(tell)
    except BaseException as error:
        tell({"test": "", "outcome": "failed", "error": "trial", "message": repr(error), "places": [], "part": ""})
    finally:
        os._exit(0)


def _read(descriptor: int, until: float) -> tuple[bytes, bool]:
    """What comes before a time, and whether that is all."""
    data = b""
    while (left := until - time.monotonic()) > 0:
        if select.select([descriptor], [], [], left)[0]:
            piece = os.read(descriptor, 1 << 16)
            if not piece:
                return data, True
            data += piece
    return data, False


def limit_processor(seconds: float) -> None:
    """From here on, this process may use so much of the processor; the kernel ends it then."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(spent.ru_utime + spent.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def processor_seconds() -> float:
    """What this process and those that it has waited for have used."""
    several = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in several)


def _error(raised: Any) -> Record:
    """Class, message and the tree's own lines on the way, outermost first."""
    places = []
    trace = raised.value.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        path = os.path.realpath(code.co_filename)
        if path.startswith(ROOT):
            places.append([path[len(ROOT) :], trace.tb_lineno, code.co_name])
        trace = trace.tb_next
    return {"error": raised.typename, "message": str(raised.value)[:2000], "places": places[-30:]}
