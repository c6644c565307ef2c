"""Hard control flow: what is recorded, written and parsed again stands on the same lines, in the same scopes."""

from dataclasses import replace
from itertools import islice

import pytest

from foretrace.corpus import programs
from foretrace.record import record_program
from foretrace.trace import Event, Frame, Trace, from_segments, to_segments
from foretrace.trace.flow import scopes_of
from foretrace.trace.lines import LinePlacer

MANAGER = """
class Manager:
    def __enter__(self):
        return self
    def __exit__(self, *what):
        return self.quiet
    def __init__(self, quiet):
        self.quiet = quiet
"""

SWALLOWED = """
class Empty:
    def __init__(self):
        self.size = 0
    @property
    def x(self):
        raise AttributeError('x')
    def __iter__(self):
        return self
    def __next__(self):
        raise StopIteration
class Full:
    def __init__(self):
        self.size = 0
def f():
    a = hasattr(Empty(), 'x')
    b = getattr(Empty(), 'x', 2)
    for c in Empty():
        pass
    d = Full()
    return hasattr(Empty(), 'x') or getattr(Empty(), 'x', b)
"""

JUMPS = (
    MANAGER
    + """
def early(n):
    try:
        for i in range(n):
            if i == 2:
                return i
            with Manager(True):
                if i:
                    continue
                raise KeyError(i)
    finally:
        n = 1
def again(n):
    try:
        raise KeyError(n)
    finally:
        n = 2
def f():
    try:
        try:
            again(1 / 0)
        except KeyError:
            x = 1
        finally:
            x = 2
    except ZeroDivisionError:
        x = 3
    try:
        with Manager(False):
            again(1)
    except ValueError:
        x = 4
    except KeyError as error:
        x = 5
    while True:
        x += 1
        if x > 8:
            break
    else:
        x = 0
    return early(4)
"""
)

MANY_LINES = """
def keep(function): return function
@keep
@keep
def f(
    a=1,
    b=2,
):
    \"\"\"Text.\"\"\"
    @keep
    def inner(): return 1
    class Inner:
        z = 1
        def method(self): return 1
    x = (
        a + b
    )
    y = [
        a,
        a,
        inner(),
    ]
    if (a
        and b):
        pass
    z = sum(v
        for v in y
        if v)
    match a:
        case 1:
            a = 2
        case _ if a > 1:
            a = 2
    return Inner().method()
"""

GENERATORS = """
def g(n):
    try:
        for i in range(n):
            y = yield i
            y = yield i
    finally:
        n = 0
def f():
    a, b = g(3), g(2)
    next(a)
    next(b)
    next(a)
    a.send(4)
    a.close()
    c = sorted([w for w in b], key=lambda w: -w)
    return {k: [j for j in range(k)] for k in range(2)}, sum(x for x in [y for y in c])
"""

TASKS = (
    MANAGER
    + """
import asyncio
async def step(n):
    await asyncio.sleep(0)
    return n
async def both():
    return await asyncio.gather(step(1), step(2))
def f():
    return asyncio.run(both())
"""
)


def what_the_wire_says(trace: Trace) -> list[Frame]:
    return [replace(frame, suspended=False, resumed=False) for frame in trace.frames]


@pytest.mark.parametrize("source", [SWALLOWED, JUMPS, MANY_LINES, GENERATORS])
def test_hard_programs_come_back_frame_by_frame(source: str) -> None:
    trace = record_program(source, "f", "")
    assert len(trace) > 20
    assert what_the_wire_says(from_segments(to_segments(trace), trace.header)) == what_the_wire_says(trace)


def test_interleaved_tasks_come_back_frame_by_frame() -> None:
    trace = record_program(TASKS, "f", "")
    assert sum(frame.function == "step" for frame in trace.frames) > 6
    assert what_the_wire_says(from_segments(to_segments(trace), trace.header)) == what_the_wire_says(trace)


def test_synthesised_programs_come_back_frame_by_frame() -> None:
    for program in islice(programs(20), 60):
        trace = record_program(program.source, program.entry, program.arguments)
        assert what_the_wire_says(from_segments(to_segments(trace), trace.header)) == what_the_wire_says(trace), (
            program.source
        )


def test_qualified_names_are_those_of_python() -> None:
    source = (
        "class A:\n    def m(self):\n        return lambda: [[y for y in x] for x in self]\n"
        "def f(x):\n    def g():\n        return {k: {v for v in k} for k in (z for z in x)}\n    return g\n"
    )

    def names(code: object) -> set[str]:
        inner = [c for c in code.co_consts if hasattr(c, "co_qualname")]  # type: ignore[attr-defined]
        return {c.co_qualname for c in inner}.union(*map(names, inner))

    expected = names(compile(source, "x", "exec"))
    ours = {scope.name for scope in scopes_of(source)} - {"<module>"}
    assert expected <= ours
    assert {name for name in ours - expected if not name.endswith("comp>")} == set()


def test_a_call_of_a_function_that_is_misquoted_goes_on_in_it() -> None:
    source = "def f(x):\n    y = 1\n    return g(x)\n\ndef g(x):\n    y = 1\n    return y\n"
    placer = LinePlacer(source, 1)
    placer.place(Event.CALL, "def f(x):")
    placer.place(Event.LINE, "    return g(x)")
    assert placer.place(Event.CALL, "def g(y):") == (0, "g")
    assert placer.place(Event.LINE, "    y = 1") == (6, "g")
    assert placer.place(Event.RETURN, "    return y") == (7, "g")
    placer.leave()
    assert placer.place(Event.RETURN, "    return g(x)") == (3, "f")


@pytest.mark.parametrize(
    "source",
    ["def f(:\n    x = 1\n", "", "\0", "def f():\n\treturn (\n", "(" * 5000, "x = '\ud800'", "f(" + "-" * 20000 + "1)"],
)
def test_any_text_can_be_placed_in(source: str) -> None:
    placer = LinePlacer(source, 1)
    line = source.split("\n")[0]
    assert placer.place(Event.CALL, line)[0] == 1
    assert placer.place(Event.LINE, "nowhere")[0] == 0
