"""The part of a test run that is inside pytest: records each test's call, and tells of its outcome as soon as it is known.

Where `pytest --record` records test functions only, this records all that runs in a test's call phase, so
`unittest.TestCase`s too: each outermost call into the repository's files is a trace. Fixtures and collection run unrecorded.
A test that sets a trace function or starts a recorder of its own ends ours, and is none the worse for it.
"""

import json
import os
import signal
import sys
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from foretrace.corpus.repositories.messages import encode
from foretrace.record.recorder import Recorder
from foretrace.record.scope import Scope
from foretrace.record.session import HAS_NATIVE, give_way
from foretrace.trace import Limits

VERDICTS = ("error", "failed", "xpassed", "passed", "xfailed", "skipped")
"""What a test can end as; of several phases or subtests the first of these counts."""
SEEN: dict[str, list[str]] = {}
"""Lines of the files that the test at hand has run."""
_WORTH_SAYING_ONCE = 200
_DETAIL = 500
_OPTIONS = ("-o", "addopts=", "-p", "no:foretrace", "-p", "no:xdist", "-p", "no:randomly", "-p", "no:cacheprovider")
_NO_WARNING = ("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning")
"""Where this package is installed pytest would have liked to rewrite it, and suites may turn warnings into errors."""
_MORE_OPTIONS = ("--continue-on-collection-errors", "--rootdir=.", "-q", "--no-header", "--no-summary")


def main(text: str) -> None:
    """Runs pytest in this folder, as `python -m pytest` would."""
    settings = json.loads(text)
    sys.path[0] = os.getcwd()
    arguments = [*_OPTIONS, *_NO_WARNING, *_MORE_OPTIONS, *settings["arguments"]]
    sys.argv = [os.path.join(os.path.dirname(pytest.__file__), "__main__.py"), *arguments]
    sys.exit(pytest.main(arguments, plugins=[SuitePlugin(settings)]))


class SuitePlugin:
    """The hooks of one run."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._output, self._process, self._seconds = settings["output"], os.getpid(), settings["seconds"]
        os.set_inheritable(self._output, False)
        self._most, self._records = settings["bytes"], settings["record"]
        self._scope = _WatchedScope(include=(os.getcwd(),))
        self._encoded: dict[str, tuple[list[str], bytes]] = {}
        self._texts: dict[bytes, int] = {}
        self._limits = Limits(max_events=settings["events"], max_bytes=settings["characters"])
        self._reports: dict[str, list[pytest.TestReport]] = {}
        self._recordings: dict[str, tuple[list[list[int]], bytes]] = {}
        version = ".".join(map(str, sys.version_info[:3]))
        self._tell({"folder": settings["folder"], "root": os.getcwd(), "python": version, "native": HAS_NATIVE})

    @pytest.hookimpl(hookwrapper=True, trylast=True)  # the innermost of all, and of a kind that every pytest knows
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Records what the test does, and ends it when its time is over."""
        alarm = _Alarm(self._seconds)
        recorder = self._start() if self._records else None
        yield
        alarm.cancel()
        if recorder is not None:
            give_way(None)
            recorder.__exit__()
            if os.getpid() == self._process:
                self._recordings[item.nodeid] = self._without_sources(recorder.data)

    def _without_sources(self, data: bytes) -> tuple[list[list[int]], bytes]:
        """A recording without the texts of source files, which would be said again for each test; see `messages.join`."""
        found = []
        for filename, lines in SEEN.items():
            name, text = filename.encode("utf-8", "surrogatepass"), self._text(filename, lines)
            at = _position(data, name, text)
            if at >= 0:
                found.append((at, text))
        SEEN.clear()
        parts, rest, done = [], [], 0
        for at, text in sorted(found):
            if at < done:
                continue
            if text not in self._texts:
                self._texts[text] = len(self._texts)
                self._tell({"source": self._texts[text]}, zlib.compress(text))
            parts.append([at - done, self._texts[text]])
            rest.append(data[done:at])
            done = at + len(text)
        return parts, zlib.compress(b"".join([*rest, data[done:]])[: self._most], 1)

    def _text(self, filename: str, lines: list[str]) -> bytes:
        known, text = self._encoded.get(filename, ([], b""))
        if known is not lines:
            text = "\n".join(line.rstrip("\n") for line in lines).encode("utf-8", "surrogatepass")
            self._encoded[filename] = lines, text
        return text

    def _start(self) -> Recorder | None:
        recorder = Recorder(self._scope, limits=self._limits)
        try:
            recorder.__enter__()
        except RuntimeError:  # another recorder, which a fixture started
            return None
        give_way(recorder.session.stop)
        return recorder

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keeps the report of a phase."""
        self._reports.setdefault(report.nodeid, []).append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Tells of a test that is over."""
        reports = self._reports.pop(nodeid, [])
        failed = next((report for report in reports if report.failed), None)
        head: dict[str, Any] = {
            "test": nodeid,
            "verdict": verdict(reports),
            "seconds": sum(report.duration for report in reports),
        }
        head["detail"] = _text_of(failed) if failed else ""
        head["parts"], body = self._recordings.pop(nodeid, ([], b""))
        self._tell(head, body)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tells of what could not be collected."""
        if report.failed:
            self._tell({"uncollected": report.nodeid, "detail": _text_of(report)})

    def _tell(self, head: dict[str, Any], body: bytes = b"") -> None:
        data = encode(head, body)
        while data and os.getpid() == self._process:  # a test that forks may come back here twice
            data = data[os.write(self._output, data) :]


def _position(data: bytes, name: bytes, text: bytes) -> int:
    """Where a file's text is in a recording: behind its name and a number of up to five bytes; -1 if it is not."""
    at = data.find(name)
    while at >= 0 and len(text) >= _WORTH_SAYING_ONCE:
        for start in range(at + len(name) + 2, at + len(name) + 6):
            if data.startswith(text, start):
                return start
        at = data.find(name, at + 1)
    return -1


class _WatchedScope(Scope):
    """A scope that notes which files it was asked for."""

    __slots__ = ()

    def reader(self) -> Callable[[str], list[str] | None]:
        """As of any scope; what it finds is in `SEEN`, too."""
        SEEN.clear()
        read = Scope.reader(self)

        def lines_of(filename: str) -> list[str] | None:
            lines = read(filename)
            if lines is not None:
                SEEN[filename] = lines
            return lines

        return lines_of


class _Alarm:
    """Ends a test that takes too long, unless it has other plans for the signal."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        is_main = threading.current_thread() is threading.main_thread()
        self._is_set = is_main and signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
        if self._is_set:
            signal.signal(signal.SIGALRM, self._ring)
            signal.setitimer(signal.ITIMER_REAL, seconds)

    def _ring(self, *arguments: object) -> None:
        pytest.fail(f"its {self._seconds:g} seconds are over", pytrace=False)

    def cancel(self) -> None:
        """Takes it back."""
        if self._is_set and signal.getsignal(signal.SIGALRM) == self._ring:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)


def verdict(reports: Sequence[pytest.TestReport]) -> str:
    """How a test ended, from the reports of its phases."""
    found = {_verdict(report) for report in reports if report.when == "call" or not report.passed}
    return next((name for name in VERDICTS if name in found), "passed" if reports else "error")


def _verdict(report: pytest.TestReport) -> str:
    was_expected = hasattr(report, "wasxfail")
    if report.failed:
        return "failed" if report.when == "call" else "error"
    if report.skipped:
        return "xfailed" if was_expected else "skipped"
    return "xpassed" if was_expected else "passed"


def _text_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return (str(crash.message) if crash else report.longreprtext)[-_DETAIL:]
