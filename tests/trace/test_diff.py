"""The diff names the first divergence and its kind."""

from dataclasses import replace

import pytest

from foretrace.record import record_program
from foretrace.trace import Event, Frame, Outcome, Trace, diff

SOURCE = "def f(n):\n    a = n + 1\n    b = 1 // n\n    return a\n"
REAL = record_program(SOURCE, "f", "2")
RAISES = record_program(SOURCE, "f", "0")


def changed(trace: Trace, step: int, **values: object) -> Trace:
    frames = list(trace.frames)
    frames[step] = replace(frames[step], **values)  # type: ignore[arg-type]
    return Trace(trace.header, tuple(frames))


def test_a_trace_agrees_with_itself() -> None:
    difference = diff(REAL, REAL)
    assert difference.agrees
    assert difference.first is None
    assert (difference.lines_right, difference.lines) == (5, 5)
    assert (difference.values_right, difference.values) == (8, 8)


@pytest.mark.parametrize(
    ("predicted", "real", "kind", "step", "variable"),
    [
        (changed(REAL, 2, locals={"n": "2", "a": "4"}), REAL, "value", 2, "a"),
        (changed(REAL, 2, locals={"n": "2"}), REAL, "value", 2, "a"),
        (changed(REAL, 2, locals={"n": "2", "a": "3", "z": "1"}), REAL, "value", 2, "z"),
        (changed(REAL, 4, value="4"), REAL, "return", 4, "value"),
        (changed(REAL, 3, line=2, source="    a = n + 1"), REAL, "line", 3, None),
        (changed(REAL, 3, line=0, source="    c = 3"), REAL, "ghost", 3, None),
        (RAISES, REAL, "value", 0, "n"),
        (changed(RAISES, 3, value="ValueError()"), RAISES, "exception", 3, "value"),
        (Trace(REAL.header, REAL.frames[:3]), REAL, "length", 3, None),
        (REAL, Trace(REAL.header, REAL.frames[:3]), "length", 3, None),
        (
            Trace(replace(REAL.header, outcome=Outcome.TRUNCATED, detail="format: bad"), REAL.frames[:3]),
            REAL,
            "format",
            3,
            None,
        ),
        (Trace(replace(REAL.header, outcome=Outcome.TRUNCATED, detail="tokens"), REAL.frames), REAL, "length", 5, None),
    ],
)
def test_every_kind_is_named(predicted: Trace, real: Trace, kind: str, step: int, variable: str | None) -> None:
    first = diff(predicted, real).first
    assert first is not None
    assert (first.kind, first.step, first.variable) == (kind, step, variable)


def test_an_exception_in_place_of_a_line_is_an_exception() -> None:
    frame = Frame(Event.EXCEPTION, "f", 0, 3, "    b = 1 // n", value="ZeroDivisionError()")
    predicted = Trace(REAL.header, (*REAL.frames[:2], frame))
    real = Trace(REAL.header, (*REAL.frames[:2], replace(frame, event=Event.LINE, value=None, locals={})))
    first = diff(predicted, real).first
    assert first is not None
    assert first.kind == "exception"


def test_wrong_values_are_counted() -> None:
    difference = diff(changed(REAL, 2, locals={"n": "5", "a": "4"}), REAL)
    assert (difference.values_right, difference.values) == (6, 8)
    assert difference.to_dict()["values"] == [6, 8]
