"""From a call to a predicted trace, with an engine that replays the true one."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from replay import ReplayEngine

from foretrace.engine import bind_call, load, predict
from foretrace.errors import CheckpointError, UsageError
from foretrace.record import record_program
from foretrace.trace import Outcome, diff

SOURCE = "def f(text, n=2):\n    out = ''\n    for c in text:\n        out = g(c, n) + out\n    return out\n\ndef g(c, n):\n    return c * n\n"
REAL = record_program(SOURCE, "f", "'ab'")


def test_a_perfect_engine_predicts_exactly_what_happens() -> None:
    trace = predict(ReplayEngine([REAL]), SOURCE, "f", "'ab'")
    assert diff(trace, REAL).agrees
    assert trace.result == "'bbaa'"
    assert (trace.header.kind, trace.header.model) == ("predicted", "replay")
    assert [(f.line, f.function, f.depth) for f in trace.frames] == [(f.line, f.function, f.depth) for f in REAL.frames]


def test_a_raised_exception_is_predicted_as_one() -> None:
    source = "def f(x):\n    return g(x)\ndef g(x):\n    return 1 / x\n"
    real = record_program(source, "f", "0")
    trace = predict(ReplayEngine([real]), source, "f", "0")
    assert trace.header.outcome is Outcome.RAISED
    assert trace.exception == "ZeroDivisionError('division by zero')"
    assert diff(trace, real).agrees


def test_unparsable_text_keeps_the_good_frames() -> None:
    trace = predict(ReplayEngine([REAL], damage={'"out": "\'aa\'"': '"out": '}), SOURCE, "f", "'ab'")
    assert trace.header.outcome is Outcome.TRUNCATED
    assert trace.header.detail.startswith("format: frame")
    first = diff(trace, REAL).first
    assert first is not None
    assert first.kind == "format"
    assert first.step == len(trace)


def test_a_spent_budget_is_told() -> None:
    trace = predict(ReplayEngine([REAL]), SOURCE, "f", "'ab'", max_tokens=60)
    assert (trace.header.outcome, trace.header.detail) == (Outcome.TRUNCATED, "tokens")
    assert len(trace) > 1


@pytest.mark.parametrize(
    ("signature", "arguments", "expected"),
    [
        ("a, b=2", "1", {"a": "1", "b": "2"}),
        ("a, b=2", "b=[1], a={}", {"a": "{}", "b": "[1]"}),
        ("a, *b, c=-1, **d", "1, 2, 3, z=4", {"a": "1", "c": "-1", "b": "(2, 3)", "d": "{'z': 4}"}),
        ("a, /, *, c", "'x', c=None", {"a": "'x'", "c": "None"}),
        ("a", "{'b', 'a'}", {"a": "{'a', 'b'}"}),
        ("a", "set()", {"a": "set()"}),
        ("", "", {}),
    ],
)
def test_binding_equals_the_interpreters(signature: str, arguments: str, expected: dict[str, str]) -> None:
    source = f"def f({signature}):\n    return 0\n"
    bound = bind_call(source, "f", arguments)
    assert bound.locals == expected
    real = record_program(source, "f", arguments).frames[0]
    assert list(bound.locals.items()) == list(real.state.items())


def test_arguments_that_are_not_literal_are_called_from_a_wrapper() -> None:
    source = "def f(x):\n    return x"
    bound = bind_call(source, "f", "[0] * 3")
    assert (bound.entry, bound.line, bound.locals) == ("main", 3, {})
    real = record_program(bound.source, "main", "")
    trace = predict(ReplayEngine([real]), source, "f", "[0] * 3")
    assert trace.result == "[0, 0, 0]"


def test_binding_executes_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    touch = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    bind_call(f"{touch}\ndef f(x={touch}):\n    return x\n", "f", touch)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("source", "entry", "arguments", "complaint"),
    [
        ("def f(:\n", "f", "", "line 1"),
        ("def f(): pass\nnonlocal x\n", "f", "", "line 2"),
        ("def count(): pass\n", "cuont", "", "did you mean 'count'"),
        ("def f(a): pass\n", "f", "", "do not bind to f\\(a\\): missing a required argument: 'a'"),
        ("def f(a): pass\n", "f", "1, 2", "too many positional"),
        ("def f(a): pass\n", "f", "1, )(", "do not parse|not an argument list"),
        ("def f(a): pass\n", "f", "1) + g(2", "not an argument list"),
    ],
)
def test_what_does_not_bind_is_a_clear_error(source: str, entry: str, arguments: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        bind_call(source, entry, arguments)


def test_an_unknown_model_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model called 'tinny'"):
        load("tinny")
    with pytest.raises(CheckpointError, match="no checkpoint folder"):
        load(f"{tmp_path}/none")


@pytest.mark.parametrize(
    ("source", "entry", "arguments"),
    [
        ("import functools\ndef d(fn):\n    @functools.wraps(fn)\n    def inner(*a):\n        return fn(*a)\n    return inner\n@d\ndef g(x):\n    return x\n", "g", "3"),
        ("def main(x):\n    return x\n", "main", "int('3')"),
        ("def f(x):\n    return x\n", "f", "int('3')  # three"),
        ("h = lambda x: x\n", "h", "3"),
        ("if True:\n    def k(x):\n        return x\n", "k", "3"),
        ("class A:\n    class B:\n        @staticmethod\n        def m(x):\n            return x\n", "A.B.m", "3"),
    ],
)  # fmt: skip
def test_what_is_predicted_through_a_wrapper_can_be_recorded_through_it(source: str, entry: str, arguments: str) -> None:
    bound = bind_call(source, entry, arguments)
    assert bound.entry.startswith("main")
    real = record_program(bound.source, bound.entry, bound.arguments)
    assert real.result == "3"
    assert real.frames[0].line == bound.line


def test_a_keyword_given_twice_does_not_bind() -> None:
    with pytest.raises(UsageError, match="keyword argument repeated"):
        bind_call("def f(x):\n    return x\n", "f", "x=1, x=2")
