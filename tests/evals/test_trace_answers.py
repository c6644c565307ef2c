"""How an engine answers by traces: the ways, on engines whose predictions are known and on the packaged model."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))

from replay import ReplayEngine

from foretrace.engine import Engine, load, predict
from foretrace.errors import UsageError
from foretrace.evals.documents import frames_of, read_result, read_trace
from foretrace.evals.subjects.traces import CUT, answer_traces
from foretrace.evals.types import Question, Sampling
from foretrace.record import record_program
from foretrace.trace import Token, to_segments, to_text

CALL = ("def f(n):\n    a = n + 1\n    if a > 9:\n        return n\n    return a * 2\n", "f", "3")
REAL = record_program(*CALL)
DOCUMENT = to_text(to_segments(REAL))
ENOUGH = Sampling(max_tokens=400)


@pytest.fixture(scope="module")
def tiny() -> Engine:
    return load("tiny")


def test_a_trace_is_what_predict_predicts(tiny: Engine) -> None:
    questions = [
        Question(call=CALL, trace="trace"),
        Question(call=CALL, trace="grammar"),
        Question(call=CALL, trace="trace"),
    ]
    first, grammar, again = answer_traces(tiny, questions, ENOUGH)
    assert first.text == again.text
    assert read_trace(first.text).frames == predict(tiny, *CALL).frames  # type: ignore[union-attr]
    assert read_trace(grammar.text).frames == predict(tiny, *CALL, grammar=True).frames  # type: ignore[union-attr]
    assert first.tokens > 20
    assert first.prompt_tokens > 20
    assert first.seconds > 0
    assert not first.is_truncated


def test_a_trace_that_is_cut_says_so(tiny: Engine) -> None:
    [answer] = answer_traces(tiny, [Question(call=CALL, trace="trace")], Sampling(max_tokens=10))
    assert (answer.is_truncated, answer.tokens, read_result(answer.text)) == (True, 10, None)


def test_a_jump_is_one_return_straight_after_the_call(tiny: Engine) -> None:
    straight = ("def f(n):\n    return n\n", "f", "3")
    jump, other = answer_traces(tiny, [Question(call=c, trace="jump") for c in (straight, CALL)], ENOUGH)
    assert read_result(jump.text) == "3"
    assert [frame.event for frame in read_trace(other.text).frames] == ["call", "return"]  # type: ignore[union-attr]
    assert read_trace(other.text).frames[1].line in (4, 5)  # type: ignore[union-attr]
    cut, *_ = answer_traces(tiny, [Question(call=CALL, trace="jump")], Sampling(max_tokens=1))
    assert (cut.is_truncated, read_result(cut.text)) == (True, None)


def test_the_next_step_follows_the_given_ones(tiny: Engine) -> None:
    frames = DOCUMENT.split(Token.FRAME_SEP.value)
    known = Token.FRAME_SEP.value.join(frames[:3]) + Token.FRAME_SEP.value  # context, call, first line
    [answer] = answer_traces(tiny, [Question(trace="next", history=known)], ENOUGH)
    trace = read_trace(answer.text)
    assert answer.text.startswith(known)
    assert trace is not None
    assert [frame.event for frame in trace.frames] == ["call", "line", "line"]
    assert trace.frames[2].state == {"n": "3", "a": "4"}


def test_each_step_is_told_after_the_true_ones() -> None:
    question = Question(call=CALL, trace="history", history=DOCUMENT)
    [right] = answer_traces(ReplayEngine([REAL]), [question], ENOUGH)
    assert right.text == DOCUMENT
    [wrong] = answer_traces(ReplayEngine([REAL], damage={'"a": "4"': '"a": "5"'}), [question], ENOUGH)
    states = [frame[1] for frame in frames_of(wrong.text) if frame[0] is Token.LINE_SEP]
    assert states[1].endswith(CUT)
    assert '"a": "5' in states[1]
    assert states[2] == '{"n": "..", "a": ".."}'  # the next one is told after the true one
    [none] = answer_traces(ReplayEngine([REAL], context_length=60), [question], ENOUGH)
    assert none.is_truncated
    assert frames_of(none.text)[-1][-2] == CUT


def test_what_is_longer_than_the_context_is_answered_as_cut() -> None:
    engine = ReplayEngine([REAL], context_length=8)
    for way in ("trace", "jump"):
        [answer] = answer_traces(engine, [Question(call=CALL, trace=way)], ENOUGH)
        assert (answer.is_truncated, answer.tokens, read_result(answer.text)) == (True, 0, None)


def test_what_cannot_be_asked_is_refused(tiny: Engine) -> None:
    with pytest.raises(UsageError, match="no way 'guess'"):
        answer_traces(tiny, [Question(call=CALL, trace="guess")], ENOUGH)
    with pytest.raises(UsageError, match="not of a call"):
        answer_traces(tiny, [Question(text="What is 1 + 1?", trace="trace")], ENOUGH)
    assert answer_traces(tiny, [], ENOUGH) == []
