"""Loops and exits in a source text, and loops as they ran."""

import pytest
from sessions import LETTERS, LONG, NESTED, recorded

from foretrace.debug.passes import Passes
from foretrace.debug.timeline import Timeline, given
from foretrace.trace import Event
from foretrace.trace.structure import Structure

ODD = """def f(xs):
    for x in xs:
        def inner():
            for y in x:
                return y
        with open(x) as file:
            while file:
                break
        try:
            pass
        except ValueError:
            for z in x: pass
        else:
            pass
    else:
        return 1
    match x:
        case 1:
            return 2
        case _:
            if x:
                pass
    for a in x:
        if a:
            break
"""


def test_loops_are_found_in_their_functions() -> None:
    structure = Structure(ODD)
    lines = {line: [loop.head.start for loop in structure.loops_at("f", line)] for line in range(1, 26)}
    assert lines[2] == [2]
    assert lines[8] == [2, 7]
    assert lines[12] == [2, 12]
    assert lines[16] == [], "the else of a loop is not in it"
    assert lines[24] == [23]
    assert [loop.head.start for loop in structure.loops_at("f.<locals>.inner", 4)] == [4]


@pytest.mark.parametrize(
    ("source", "function", "exits"),
    [
        (LETTERS, "count_letters", [5]),
        (ODD, "f", [16, 19, 23, 25]),
        (ODD, "f.<locals>.inner", [4, 5]),
        ("def f(x):\n    if x:\n        return 1\n", "f", [2, 3]),
        ("def f(x):\n    while x:\n        x = (x -\n             1)\n", "f", [2]),
        ("def f(x):\n    print(x,\n          x)\n", "f", [2, 3]),
        ("def f(x):\n    raise x\n", "f", []),
        ("def f(x):\n    return map(lambda y: y, x)\n", "f.<locals>.<lambda>", [2]),
        ("def f(x):\n    try:\n        x()\n    finally:\n        y = 1\n", "f", [5]),
        ("def f(", "f", []),
        (LETTERS, "nowhere", []),
    ],
)
def test_exits_are_where_a_function_can_return(source: str, function: str, exits: list[int]) -> None:
    assert Structure(source).exits(function) == exits


@pytest.mark.parametrize("source", [LETTERS, NESTED])
def test_real_returns_are_at_exits(source: str) -> None:
    arguments = {LETTERS: "'r'", NESTED: "[[1, 12], [3]]"}[source]
    structure = Structure(source)
    for frame in recorded(source, "f", arguments).frames:
        if frame.event is Event.RETURN:
            assert frame.line in structure.exits(frame.function)


def passes_of(source: str, arguments: str, stop: int | None = None) -> tuple[Timeline, Passes]:
    timeline = Timeline(map(given, recorded(source, "f", arguments).frames[:stop]))
    return timeline, Passes(timeline, Structure(source))


def test_passes_of_nested_loops() -> None:
    timeline, passes = passes_of(NESTED, "[[1, 2], [12], [], [3]]")
    inner = [i for i in range(len(timeline)) if timeline.frames[i].line == 7]
    around = [[(run.loop.head.start, run.number_at(i), run.count) for run in passes.around(i)] for i in inner]
    assert around == [
        [(4, 1, 2), (3, 1, 4)],
        [(4, 2, 2), (3, 1, 4)],
        [(4, 1, 1), (3, 2, 4)],
        [(4, 1, 1), (3, 4, 4)],
    ]
    [outer] = [run for run in passes.between(0, len(timeline)) if run.loop.head.start == 3]
    assert outer.end == len(timeline) - 2, "the return is outside"
    assert [outer.is_odd(k) for k in (1, 2, 3, 4)] == [False] * 4, "no path is that of more than half"
    assert passes.around(0) == []


def test_the_odd_pass_is_the_one_that_goes_otherwise() -> None:
    _, passes = passes_of(NESTED, "[[1, 2, 12, 3, 4]]")
    [inner] = [run for run in passes.between(0, 99) if run.loop.head.start == 4]
    assert [inner.is_odd(k) for k in range(1, 6)] == [False, False, True, False, False]
    assert inner.odd == 1


def test_loops_of_callers_are_around_too() -> None:
    source = "def g(x):\n    return x\n\n\ndef f(n):\n    for i in range(n):\n        g(i)\n"
    timeline, passes = passes_of(source, "3")
    inside = [i for i in range(len(timeline)) if timeline.frames[i].function == "g"]
    assert [passes.around(i)[0].number_at(i) for i in inside] == [1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_passes_follow_a_growing_timeline() -> None:
    whole, passes = passes_of(LONG, "20")
    growing = Timeline()
    follower = Passes(growing, Structure(LONG))
    for step in whole:
        growing.append(step)
        follower.around(len(growing) - 1)
    last = len(whole) - 3
    assert [(r.start, r.starts, r.count) for r in follower.around(last)] == [
        (r.start, r.starts, r.count) for r in passes.around(last)
    ]
    assert passes.around(last)[0].count == 20


def test_a_loop_on_one_line_counts_its_visits() -> None:
    timeline, passes = passes_of("def f(n):\n    while n: n -= 1\n    return n\n", "3")
    [run] = passes.around(1)
    assert run.starts == [i for i in range(len(timeline)) if timeline.frames[i].line == 2]
