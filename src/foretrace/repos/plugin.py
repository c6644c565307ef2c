"""Tells how each test ended, from within pytest, in a way that tests cannot easily forge. One file, which needs nothing.

It is not imported: `foretrace.repos.testing` sends its text to an interpreter of the image, whatever its version (3.8 on,
pytest 3 on), and calls `main(settings)`. So nothing of it lies on a disk, in an environment variable or a command line.

Every record is a line of JSON and, behind a tab, a keyed hash of it and of all lines before: a line that somebody else
wrote, changed or took away is noticed. A test counts as passed if all three phases ran, none raised, and pytest said so as
well. Whoever runs in the same process can always do more (read our memory, replace `os.write`); `_Watch` looks for what is
likely.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # Python 3.8 cannot say it
    Tell = Callable[[dict[str, Any]], None]
_DETAIL = 2000
_PHASES = ("setup", "call", "teardown")
_WATCHED = ("_pytest", "pluggy")
_HOOKS = tuple(f"pytest_runtest_{name}" for name in ("protocol", "makereport", "logreport", *_PHASES))
_HOOKS = (*_HOOKS, "pytest_pyfunc_call", "pytest_sessionfinish")


def main(settings: dict[str, Any]) -> None:
    """Runs pytest in the current folder and exits with its code.

    `settings`: `output` (file to write to), `key` (hexadecimal), `arguments` (of pytest), `tests` (ids to run, or null for
    all), `seconds` (of one test).
    """
    tell = _channel(settings["output"], bytes.fromhex(settings["key"]))
    wanted = None if settings["tests"] is None else set(settings["tests"])
    arguments = ["-p", "no:cacheprovider", "--continue-on-collection-errors", *settings["arguments"]]
    watch = _Watch()
    version = ".".join(map(str, sys.version_info[:3]))
    tell({"start": {"python": version, "pytest": pytest.__version__}})
    plugins = [_collecting(tell, wanted, watch), _running(tell, float(settings["seconds"]))]
    settings.clear()
    sys.argv = ["pytest", *arguments]
    code = int(pytest.main(arguments, plugins=plugins))
    tell({"ends": code, "patched": watch.patched()})
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads and atexit functions that tests left have no say


def _collecting(tell: Tell, wanted: set[str] | None, watch: _Watch) -> object:
    """The plugin that chooses tests; what it knows is in closures, and not in the attributes of a plugin that can be had."""

    class Collecting:
        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(self, config: Any, items: list[Any]) -> None:
            left = [item for item in items if wanted is not None and item.nodeid not in wanted]
            if left:
                items[:] = [item for item in items if wanted is None or item.nodeid in wanted]
                config.hook.pytest_deselected(items=left)

        @pytest.hookimpl(trylast=True)
        def pytest_collection_finish(self, session: Any) -> None:
            tell({"collected": [item.nodeid for item in session.items], "hooks": watch.hooks(session.config)})

        def pytest_collectreport(self, report: Any) -> None:
            if report.failed:
                tell({"uncollected": report.nodeid, "detail": _text_of(report)})

    return Collecting()


def _running(tell: Tell, seconds: float) -> object:
    """The plugin that follows tests."""

    class Running:
        def __init__(self) -> None:
            self._now = ""
            self._raised: dict[str, str] = {}
            self._reports: list[Any] = []

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_logstart(self, nodeid: str) -> None:
            self._now, self._raised, self._reports = nodeid, {}, []
            tell({"begins": nodeid})

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_runtest_makereport(self, item: Any, call: Any) -> Iterator[None]:
            if item.nodeid == self._now:  # before any other plugin has its way with it
                self._raised[call.when] = "" if call.excinfo is None else call.excinfo.typename
            yield

        @pytest.hookimpl(hookwrapper=True, trylast=True)
        def pytest_runtest_call(self, item: Any) -> Iterator[None]:
            cancel = _alarm(seconds)
            yield
            cancel()

        def pytest_runtest_logreport(self, report: Any) -> None:
            if report.nodeid == self._now:
                self._reports.append(report)

        @pytest.hookimpl(trylast=True)
        def pytest_runtest_logfinish(self, nodeid: str) -> None:
            if nodeid == self._now:
                tell(_record(nodeid, self._raised, self._reports))
                self._now = ""

    return Running()


def _channel(path: str, key: bytes) -> Tell:
    """What writes records; only in the process that made it, as a test may fork and come back."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    output, owner, chain = os.open(path, flags, 0o600), os.getpid(), b""
    write, getpid, dumps, blake2b, urgent = os.write, os.getpid, json.dumps, hashlib.blake2b, threading.RLock()

    def tell(record: dict[str, Any]) -> None:
        nonlocal chain
        if getpid() != owner:
            return
        with urgent:
            line = dumps(record).encode("ascii")
            chain = blake2b(chain + line, key=key, digest_size=16).digest()
            data = line + b"\t" + chain.hex().encode("ascii") + b"\n"
            while data:
                data = data[write(output, data) :]

    return tell


def _record(test: str, raised: dict[str, str], reports: list[Any]) -> dict[str, Any]:
    """How a test ended: the worst that pytest or the phases themselves say."""
    outcome = _outcome(reports)
    if outcome == "passed" and any(raised.get(phase) != "" for phase in _PHASES):
        outcome = "failed"  # something turned a failure into a success, or a phase never ran
    failed = next((report for report in reports if report.failed), None)
    detail = _text_of(failed) if failed else ""
    if outcome == "failed" and any(text == "ForetraceTimeout" for text in raised.values()):
        outcome = "timeout"
    seconds = sum(report.duration for report in reports)
    return {"test": test, "outcome": outcome, "seconds": round(seconds, 6), "detail": detail}


def _outcome(reports: list[Any]) -> str:
    if any(report.failed for report in reports):
        return "failed" if any(report.failed and report.when == "call" for report in reports) else "error"
    if any(report.skipped for report in reports):
        return "xfailed" if any(hasattr(report, "wasxfail") for report in reports) else "skipped"
    if any(hasattr(report, "wasxfail") for report in reports):
        return "xpassed"
    return "passed" if {report.when for report in reports} == set(_PHASES) else "error"


def _text_of(report: Any) -> str:
    """Why something failed: the exception's message, and where it was raised."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return str(report.longrepr or "")[-_DETAIL:]
    return f"{os.path.relpath(str(crash.path))}:{crash.lineno}: {str(crash.message)[:_DETAIL]}"


def _alarm(seconds: float) -> Callable[[], None]:
    """Ends a test that takes too long, unless it has other plans for the signal; call the result to take it back."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGALRM) != signal.SIG_DFL:
        return lambda: None
    failed = pytest.fail.Exception
    late = type("ForetraceTimeout", (failed,), {})

    def ring(*_: Any) -> None:
        raise late(f"its {seconds:g} seconds are over", pytrace=False)

    def cancel() -> None:
        if signal.getsignal(signal.SIGALRM) is ring:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    return cancel


class _Watch:
    """Functions of pytest as they were before anything of the tree was imported, and who takes part in running tests."""

    def __init__(self) -> None:
        self._before = self._codes()

    @staticmethod
    def _codes() -> dict[str, Any]:
        """The code of each function of pytest by name; those of its classes, too."""
        found = {}
        for name, module in list(sys.modules.items()):
            if name.split(".")[0] not in _WATCHED:
                continue
            for owner in [module, *(each for each in vars(module).values() if isinstance(each, type))]:
                if owner is module or owner.__module__ == name:
                    for attribute, value in list(vars(owner).items()):
                        code = getattr(getattr(value, "__func__", value), "__code__", None)
                        if code is not None:
                            found[".".join((name, getattr(owner, "__qualname__", ""), attribute))] = code
        return found

    def patched(self) -> list[str]:
        """Functions that are others now; it stays so where a test forgot to undo it."""
        now = self._codes()
        return sorted(name for name, code in self._before.items() if now.get(name) is not code)[:20]

    @staticmethod
    def hooks(config: Any) -> list[str]:
        """Hooks by which others than pytest take part in running tests, as `tests/conftest.py:pytest_pyfunc_call`."""
        found = set()
        for name in _HOOKS:
            caller = getattr(config.hook, name, None)
            for implementation in caller.get_hookimpls() if caller is not None and hasattr(caller, "get_hookimpls") else []:
                code = getattr(getattr(implementation.function, "__func__", implementation.function), "__code__", None)
                file = code.co_filename if code is not None else "?"
                if os.path.isabs(file) and "site-packages" not in file.split(os.sep):
                    found.add(f"{os.path.relpath(file)}:{name}")
        return sorted(found)
