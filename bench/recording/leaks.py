"""Whether the recorder in C keeps memory or objects: in a long session, over many sessions, and of each kind of object.

    python bench/recording/leaks.py                              # a million events, 10,000 sessions; a minute
    python bench/recording/leaks.py --events 20000000 --sessions 100000
    python bench/recording/leaks.py --events 20000 --sessions 500 --references    # memory is shown and not judged

Growth in a session is judged after its first quarter, which must be long enough to fill what the recorder keeps.
With `--references` only what objects are kept decides, as a sanitizer keeps memory that was freed. Exit code 1 if any
measure is beyond its limit.
"""

import argparse
import collections
import ctypes
import dataclasses
import gc
import os
import sys
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from foretrace.record.program import call, load_module
from foretrace.record.session import Format, Session, open_session
from foretrace.trace import Limits

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "record"))
from constructs import CONSTRUCTS

FILENAME = "<program>"
LIMITS = Limits(max_events=10**12, max_bytes=10**15, seconds=10**6)
FORMS: tuple[Format, Format] = ("binary", "wire")
MOST = 8 << 20
"""Bytes that a recorder may take."""
SLACK, ARENA = 256 << 10, 1 << 20
"""Bytes by which memory may differ without growing: what allocators do not give back at once; what Python's takes at once."""

CHURN = """
class Node:
    def __init__(self, value):
        self.value, self.parts = value, [value]

def numbers(n):
    for i in range(n):
        yield i

def step(table, k):
    try:
        if k % 7 == 0:
            raise KeyError(k)
        table[k % 50] = Node(k)
        some = {k, str(k), (k, "a")}
        text = str(k) * (k % 500)
        return sum(numbers(3))
    except KeyError as error:
        return str(error) * 3

def f(n, on_step):
    table = {}
    for k in range(n):
        class Local:
            names = [k for k in range(3)]
        step(table, k)
        if k % 10 == 0:
            exec(compile("def made(x): return x", step.__code__.co_filename, "exec"), globals())
            made(k)
            on_step()
"""
"""Values, types and code objects that come and go."""

WAYS = """
class Holder:
    pass

def of_local(make, watch):
    value = watch(make())
    other = value
    value = other = None
    return value

def in_containers(make, watch):
    value = [{"key": (watch(make()),)}]
    value.append(value[0])
    value.clear()
    return len(value)

def in_attribute(make, watch):
    holder = Holder()
    holder.value = watch(make())
    del holder.value
    return holder

def as_argument(make, watch):
    def called(value, *rest, **named):
        return len(rest) + len(named)
    return called(watch(make()), make(), name=make())

def as_result(make, watch):
    def called():
        return watch(make())
    called()

def in_closure(make, watch):
    value = watch(make())
    def called():
        return value is None
    called()

def yielded(make, watch):
    def values():
        value = watch(make())
        yield value
        value = None
        yield value
    for value in values():
        pass

def abandoned(make, watch):
    def values():
        value = watch(make())
        yield value
        yield None
    suspended = values()
    next(suspended)
    suspended = None
    return suspended

def raised(make, watch):
    try:
        raise ValueError(watch(make()))
    except ValueError as error:
        text = len(error.args)
    return text

def unwound(make, watch):
    def called(value):
        raise ValueError(value)
    try:
        called(watch(make()))
    except ValueError:
        pass

def in_globals(make, watch):
    global kept
    kept = watch(make())
    del kept

def awaited(make, watch):
    async def called():
        value = watch(make())
        return value
    try:
        called().send(None)
    except StopIteration:
        pass

def f(make, watch, check):
    for way in (of_local, in_containers, in_attribute, as_argument, as_result, in_closure, yielded, abandoned, raised,
                unwound, in_globals, awaited):
        way(make, watch)
        check(way.__name__)
"""
"""Where an object may be while it is seen; all drop it."""


class Plain:
    """Has attributes."""

    def __init__(self) -> None:
        self.one, self.two = 1, [2]


class Slotted:
    """Has slots."""

    __slots__ = ("__weakref__", "one")

    def __init__(self) -> None:
        self.one = 1


@dataclasses.dataclass
class Data:
    """Has fields."""

    one: int = 1
    two: list[int] = dataclasses.field(default_factory=list)


def subclass_of(base: type, *arguments: Any) -> Callable[[], Any]:
    """What makes instances of a class derived from a built-in one."""
    derived = type(f"Own{base.__name__}", (base,), {})
    return lambda: derived(*arguments)


def code_that_ran() -> Any:
    """A code object in scope that was recorded."""
    space: dict[str, Any] = {}
    exec(compile("def made(x):\n    return x\n", FILENAME, "exec"), space)
    space["made"](1)
    return space["made"].__code__


KINDS: dict[str, Callable[[], Any]] = {
    "object": Plain,
    "object with slots": Slotted,
    "dataclass": Data,
    "class": lambda: type("Made", (), {"one": 1}),
    "function": lambda: eval("lambda x: x"),
    "generator": lambda: (i for i in [1]),
    "exception": subclass_of(ValueError, "text"),
    "deque": lambda: collections.deque([1]),
    "memoryview": lambda: memoryview(bytearray(8)),
    "code": code_that_ran,
    **{
        base.__name__: subclass_of(base, *given)
        for base, *given in ((list, [1]), (dict, {1: 2}), (str, "text"), (float, 1.5))
    },
}


def opened(output: int | bytearray, source: str, form: Format) -> Session:
    """A session of the recorder in C whose budgets do not run out."""
    lines_of = {FILENAME: source.split("\n")}.get
    return open_session(lines_of, LIMITS, output=output, form=form, many=True, when_full="mute", native=True)


class Malloc(ctypes.Structure):
    """What `mallinfo2` of the GNU C library says."""

    _fields_ = tuple((f"count{i}", ctypes.c_size_t) for i in range(10))

    @property
    def held(self) -> int:
        """Bytes: `hblkhd`, mapped, and `uordblks`, in the arenas."""
        return int(self.count4 + self.count7)


def malloced() -> int:
    """Bytes that C code holds, all threads' and extensions'; 0 where that cannot be known."""
    try:
        mallinfo = ctypes.CDLL(None).mallinfo2
    except (OSError, AttributeError):
        return 0
    mallinfo.restype = Malloc
    info: Malloc = mallinfo()
    return info.held


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Report:
    """Prints what is measured, and counts what is beyond its limit."""

    def __init__(self, judges_memory: bool) -> None:
        self.findings = 0
        self._judges_memory = judges_memory

    def memory(self, what: str, measured: float, limit: float, unit: str = "KiB") -> None:
        """A measure of memory."""
        is_bad = self._judges_memory and measured > limit
        self.findings += is_bad
        print(f"{what:56} {measured:10,.1f} {unit:10} (at most {limit:,g}){' !' if is_bad else ''}", flush=True)

    def objects(self, what: str, kept: list[str], of: int) -> None:
        """Objects that are kept."""
        self.findings += len(kept)
        print(f"{what:56} {len(kept):8} kept   (of {of:,})", *kept, sep="\n    ", flush=True)


def check_long(report: Report, form: Format, events: int, output: int) -> None:
    """Memory while one session records."""
    function = load_module(CHURN, FILENAME)["f"]
    function(2000, lambda: None)
    trial = opened(output, CHURN, form)
    call(trial, LIMITS, function, 100, lambda: None)
    gc.collect()
    before, early, late = resident(), 0, 0
    session = opened(output, CHURN, form)

    def on_step() -> None:
        nonlocal early, late
        if session.events < events / 4:
            early = max(early, resident())
        else:
            late = max(late, resident())

    call(session, LIMITS, function, events * 100 // trial.events, on_step)
    report.memory(f"{form}: taken by a session of {session.events:,} events", (late - before) / 1024, MOST / 1024)
    report.memory(f"{form}: growth after the first quarter", (late - early) / 1024, SLACK / 1024)


def check_many(report: Report, sessions: int, output: int) -> None:
    """Memory over many sessions."""
    programs = list(CONSTRUCTS.values())

    def record_some(number: int) -> None:
        for i in range(number):
            source = programs[i % len(programs)]
            function = load_module(source, FILENAME)["f"]  # anew: some keep what they did
            to: int | bytearray = output if i // len(programs) % 2 else bytearray()
            call(opened(to, source, FORMS[i // len(programs) // 2 % 2]), LIMITS, function)
        gc.collect()

    number = sessions // 3
    record_some(number)
    readings = []
    for _ in range(2):
        record_some(number)
        readings.append((resident(), malloced(), sys.getallocatedblocks()))
    size, bytes_held, blocks = (b - a for a, b in zip(*readings, strict=True))
    report.memory(f"{sessions:,} sessions: growth in the last third", size / 1024, (ARENA + SLACK) / 1024)
    report.memory("of that, allocated in C, a session", bytes_held / number, 8, "bytes")
    report.memory("of that, objects, a session", blocks / number, 0.05, "objects")


def check_kinds(report: Report, form: Format, output: int) -> None:
    """Objects that are kept alive after the program has dropped them."""
    function, kept, count = load_module(WAYS, FILENAME)["f"], [], 0

    def run(make: Callable[[], Any], session: Session | None) -> set[str]:
        nonlocal count
        alive, references = set(), []

        def watch(value: Any) -> Any:
            references.append(weakref.ref(value))
            return value

        def check(way: str) -> None:
            nonlocal count
            count += len(references)
            if any(reference() is not None for reference in references):
                gc.collect()
            if any(reference() is not None for reference in references):
                alive.add(way)
            references.clear()

        if session is None:
            function(make, watch, check)
        else:
            call(session, LIMITS, function, make, watch, check)
        return alive

    for name, make in KINDS.items():
        plain = run(make, None)
        kept += [f"{name}, {way}" for way in sorted(run(make, opened(output, WAYS, form)) - plain)]
    report.objects(f"{form}: objects that the program dropped", kept, count)


PASSED = """
def f(*values):
    for value in values:
        other = value
        pair = [value, (value, {"key": value})]
    return pair and None
"""


def check_counts(report: Report, form: Format) -> None:
    """References to objects that live on: as many after sessions as before."""
    function = load_module(PASSED, FILENAME)["f"]
    output, lines = bytearray(), PASSED.split("\n")
    values: dict[str, Any] = {
        "int": 7**99,
        "short text": "".join(["ab", "cd"]),
        "long text": "ab" * 999,
        "float": float("1.5"),
        "bytes": bytes(range(99)),
        "tuple": (Plain(), [1]),
        "list": [1, [2]],
        "dict": {"one": Plain()},
        "object": Plain(),
        "dataclass": Data(),
        "exception": ValueError([1]),
        "class": Plain,
        "function": function,
        "code": function.__code__,
        "module": gc,
    }
    lines_of = {FILENAME: lines}.get
    watched = values | {"output": output, "source": lines, "lines_of": lines_of}
    counts = {name: sys.getrefcount(watched[name]) for name in watched}
    for _ in range(100):
        session = open_session(lines_of, LIMITS, output=output, form=form, native=True)
        call(session, LIMITS, function, *values.values())
        del session
        output.clear()
    changes = {name: sys.getrefcount(watched[name]) - count for name, count in counts.items()}
    kept = [f"{name}: {change:+} references" for name, change in changes.items() if change]
    report.objects(f"{form}: objects that live on, after 100 sessions", kept, len(watched))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000, help="of the long session (1,000,000)")
    parser.add_argument("--sessions", type=int, default=10_000, help="in all (10,000)")
    parser.add_argument("--references", action="store_true", help="show memory, but judge only what objects are kept")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda _: None
    report = Report(not given.references)
    with open(os.devnull, "wb") as file:
        for form in FORMS:
            check_long(report, form, given.events, file.fileno())
            check_kinds(report, form, file.fileno())
            check_counts(report, form)
        check_many(report, given.sessions, file.fileno())
    print(f"Python {sys.version.split()[0]}: {report.findings} findings")
    return bool(report.findings)


if __name__ == "__main__":
    sys.exit(main())
