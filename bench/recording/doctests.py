"""Records the standard library's doctests with both recorders and says where what they wrote differs.

    python bench/recording/doctests.py                           # all modules that have doctests, some minutes
    python bench/recording/doctests.py heapq json.encoder test.test_generators

In scope are the examples and their module. Every recording is a process of its own, forked from one state. The reference
records each doctest twice, the second time at other addresses, and again where the recorders differ; a doctest on which it
differs from itself is counted as unsteady and not compared further. One that differs where `sys.settrace`, and so the reference, is known to change what happens
is counted as unfit. Exit code 1 if the recorders differ on any other doctest, a doctest's examples fail only while they are
recorded in C, or a process crashes.
"""

import argparse
import doctest
import gc
import importlib
import linecache
import os
import pickle
import re
import resource
import signal
import sys
import sysconfig
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from foretrace.record.session import Format, open_session
from foretrace.trace import Limits, read_binary

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "record"))
from comparing import context, first_difference

EXCLUDED = {
    *("test", "tests", "site-packages", "__main__"),
    *("idlelib", "lib2to3", "tkinter", "turtle", "turtledemo"),  # need a window, or are programs
    *("antigravity", "this"),  # open a browser, print
    *("ftplib", "imaplib", "nntplib", "poplib", "smtplib", "socket", "telnetlib"),  # wait for servers
    "doctest",  # what runs the examples would be recorded with them
}
"""Folders and modules that are not looked at."""
SUITES = (
    *("cmd", "deque", "descrtut", "extcall", "generators", "genexps", "itertools", "listcomps", "metaclass"),
    *("pep646_syntax", "setcomps", "unpack", "unpack_ex"),
)
"""Those of the standard library's tests that are doctests of the language."""
Kind = Literal["reference", "native", "unrecorded"]
LIMITS = Limits(max_events=3000, max_bytes=10**8)
CPU_SECONDS, SECONDS = 60, 120
"""Of one recording: of processor time, and in all."""


@dataclass
class Compared:
    """What was found in the doctests of one module."""

    doctests: int = 0
    events: int = 0
    unsteady: list[str] = field(default_factory=list)
    unfit: list[str] = field(default_factory=list)
    limited: list[str] = field(default_factory=list)
    """Met the limit of time."""
    differing: dict[str, str] = field(default_factory=dict)


@dataclass
class Ran:
    """One run of a doctest's examples."""

    data: bytes
    failed: int
    """Examples."""
    events: int


class Ended(Exception):
    """A child process ended without a result."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the process ended with {status}")
        self.status = status


def modules_with_doctests() -> Iterator[str]:
    """Names of modules in Python whose source has examples."""
    folder = Path(sysconfig.get_path("stdlib"))
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if not EXCLUDED & set(parts) and ">>> " in path.read_text(encoding="utf-8", errors="replace"):
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    yield from (f"test.test_{name}" for name in SUITES)


def in_child(action: Callable[[], Any], has_limits: bool = True) -> Any:
    """What `action` returns in a forked process.

    Raises:
        Ended: the process ended before.

    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if has_limits:
                used = int(time.process_time())
                resource.setrlimit(resource.RLIMIT_CPU, (used + CPU_SECONDS, resource.RLIM_INFINITY))
                signal.alarm(SECONDS)
            with open(writer, "wb") as file:
                pickle.dump(action(), file)
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writer)
    with open(reader, "rb") as file:
        data = file.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        raise Ended(status)
    return pickle.loads(data)


def run(test: doctest.DocTest, path: str, kind: Kind, form: Format, options: dict[str, Any], shift: int = 0) -> Ran:
    """Runs a doctest's examples in this process, which is not fit for another run then.

    Args:
        path: of the module, which is in scope with the examples.
        shift: how many objects are made before, so that later ones have other addresses.

    """
    junk = [[*range(size % 40)] for size in range(shift)]
    out, runner = bytearray(), doctest.DocTestRunner(verbose=False)

    def lines_of(filename: str) -> list[str] | None:
        return (linecache.getlines(filename) or None) if filename == path or filename.startswith("<doctest ") else None

    session = open_session(
        lines_of, LIMITS, output=out, form=form, many=True, when_full="mute", native=kind == "native", **options
    )
    gc.collect()
    gc.disable()  # when garbage is found depends on what was made, also by the recorder
    if kind != "unrecorded":
        session.start()
    failed = runner.run(test, out=lambda _: None).failed
    if kind != "unrecorded":
        session.stop()
    del junk
    return Ran(bytes(out), failed, session.events)


def compare(test: doctest.DocTest, path: str, found: Compared) -> None:
    """Records a doctest in several ways, and adds what is found."""

    def ran(kind: Kind, form: Format = "binary", shift: int = 0, **options: Any) -> Ran:
        result: Ran = in_child(lambda: run(test, path, kind, form, options, shift))
        return result

    first = ran("reference")
    found.events += first.events
    if ran("reference", shift=10_000).data != first.data:
        found.unsteady.append(test.name)
        return
    unrecorded, ours = ran("unrecorded"), ran("native")
    where = where_differs(ours, first) if ours.failed == unrecorded.failed else "examples fail only while recorded in C"
    others: tuple[tuple[Format, dict[str, int]], ...] = (("wire", {}), ("binary", {"depth": 2}))
    for form, options in others:
        where = where or where_differs(ran("native", form, **options), ran("reference", form, **options), form)
    if where:
        time.sleep(1.1)  # some tell the time in seconds
    if where and any(ran("reference", shift=shift).data != first.data for shift in (1, 300, 5000, 30_000)):
        found.unsteady.append(test.name)
    elif where and has_clobbered(test):
        found.unfit.append(test.name)
    elif where:
        found.differing[test.name] = where


def has_clobbered(test: doctest.DocTest) -> bool:
    """Whether a doctest has comprehensions, whose variables `sys.settrace` sets to None in modules and classes of Python 3.12."""
    source = "\n".join(example.source for example in test.examples)
    return sys.version_info[:2] == (3, 12) and re.search(r"[\[({][^\])}]+ for .* in ", source) is not None


def where_differs(ours: Ran, theirs: Ran, form: Format = "binary") -> str:
    """Where two recordings differ; empty if nowhere."""
    if ours.data == theirs.data:
        return ""
    if form == "wire":
        return f"wire: {context(ours.data, theirs.data)}"
    return first_difference(*(list(read_binary(ran.data)) for ran in (ours, theirs)))


def compare_module(name: str) -> Compared | None:
    """Compares all doctests of a module; None if it cannot be imported here."""
    found = Compared()
    sys.unraisablehook = lambda _: None
    warnings.simplefilter("ignore")
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    try:
        module = importlib.import_module(name)
    except ImportError:
        return None
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, name):
        if not test.examples:
            continue
        found.doctests += 1
        try:
            compare(test, module.__file__ or "", found)
        except Ended as ended:
            if ended.status in (-signal.SIGXCPU, -signal.SIGALRM, -signal.SIGKILL):
                found.limited.append(test.name)
            else:
                found.differing[test.name] = str(ended)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="by default all of the standard library with doctests")
    given = parser.parse_args()
    print(f"{'module':28} {'doctests':>8} {'events':>9} {'differing':>9} {'unsteady':>8} {'unfit':>5} {'limited':>7}")
    totals = [0] * 6
    for name in given.modules or modules_with_doctests():
        try:
            found = in_child(lambda: compare_module(name), has_limits=False)  # noqa: B023
        except Ended as ended:
            found = Compared(differing={name: str(ended)})
        if found is None or not found.doctests + len(found.differing):
            continue
        counts = [len(tests) for tests in (found.differing, found.unsteady, found.unfit, found.limited)]
        row = [found.doctests, found.events, *counts]
        print(f"{name:28} {row[0]:8} {row[1]:9,} {row[2]:9} {row[3]:8} {row[4]:5} {row[5]:7}", flush=True)
        told = [f"{test}: {where}" for test, where in found.differing.items()]
        told += [f"{test} is unsteady" for test in found.unsteady]
        print(*(f"    {line}\n" for line in told), sep="", end="", flush=True)
        totals = [a + b for a, b in zip(totals, row, strict=True)]
    counted = f"{totals[3]} unsteady, {totals[4]} unfit, {totals[5]} met a limit"
    print(f"Python {sys.version.split()[0]}: {totals[0]:,} doctests, {totals[1]:,} events, {totals[2]} differ, {counted}")
    return bool(totals[2])


if __name__ == "__main__":
    sys.exit(main())
