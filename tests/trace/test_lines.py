"""Predicted lines are placed by control flow, not by the first match."""

import pytest

from foretrace.record import record_program
from foretrace.trace import Event, from_segments, to_segments
from foretrace.trace.lines import LinePlacer

REPEATS = """def f(n):
    x = 1
    if n:
        x = 1
    else:
        x = 2
    for i in range(2):
        x = 1
    while n:
        n -= 1
        x = 1
    return x

def g(n):
    x = 1
    return f(n)
"""


@pytest.mark.parametrize("n", ["0", "2"])
def test_equal_lines_are_told_apart(n: str) -> None:
    trace = record_program(REPEATS, "g", n)
    back = from_segments(to_segments(trace))
    assert [(f.line, f.function) for f in back.frames] == [(f.line, f.function) for f in trace.frames]


def test_a_line_that_is_not_there_is_a_ghost_and_the_next_is_found() -> None:
    placer = LinePlacer(REPEATS, 1)
    assert placer.place(Event.CALL, "def f(n):") == (1, "f")
    assert placer.place(Event.LINE, "    x = 2") == (0, "f")
    assert placer.place(Event.LINE, "    x = 1") == (2, "f")


def test_source_that_does_not_parse_is_searched() -> None:
    placer = LinePlacer("def f(:\n    x = 1\n    y = 2\n", 1)
    placer.place(Event.CALL, "def f(:")
    assert placer.place(Event.LINE, "    y = 2")[0] == 3


def test_a_comment_like_the_marker_is_not_stripped() -> None:
    source = "def f():\n    CAT = 1\n    RACE = 2\n    return CAT + RACE\n"
    trace = record_program(source, "f", "")
    assert [f.line for f in from_segments(to_segments(trace)).frames] == [1, 2, 3, 4, 4]
