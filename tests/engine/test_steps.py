"""Which tokens of a frame say what, and how predictions end."""

import json
import math

import pytest

from foretrace.corpus import synthesise
from foretrace.data.tokenizer import Tokenizer
from foretrace.engine import Finish, Step, Steps, StopReason, build_prompt, finish_of, trace_of
from foretrace.engine.steps import FrameReader, extended, previous_state, step_without_tokens
from foretrace.errors import ForetraceError
from foretrace.record import record_program
from foretrace.trace import Event, Frame, Limits, Outcome, Token, frame_segments

SMALL = Tokenizer.train([], vocab_size=800)
FRAMES = (
    Frame(Event.CALL, "f", 0, 1, "def f(x, _s_):", locals={"x": "41", "_s_": "'a\"b\\\\'"}),
    Frame(Event.LINE, "f", 0, 2, '    y = "é"', locals={"x": "41", "_s_": "'a\"b\\\\'"}),
    Frame(Event.LINE, "f", 0, 3, "    return y", locals={"x": "[1, '…']", "_s_": "'a\"b\\\\'", "y": "'é'"}),
    Frame(Event.EXCEPTION, "f", 0, 3, "    return y", value="KeyError('x')"),
    Frame(Event.RETURN, "f", 0, 3, "    return y", value="'é'"),
)


def byte_pairs() -> Tokenizer:
    pytest.importorskip("tokenizers")
    return Tokenizer.train(['{"x": "41", "_s_": "..", "xs": "[1, 2]"}', '    return y = "":'] * 50, 700, kind="bpe")


@pytest.fixture(params=["small", "bpe"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return SMALL if request.param == "small" else byte_pairs()


def test_every_value_is_found_with_what_leads_to_it_and_what_ends_it(tokenizer: Tokenizer) -> None:
    reader = FrameReader(tokenizer)
    for frame, segments in zip(FRAMES, frame_segments(FRAMES), strict=True):
        ids = tokenizer.encode(segments)
        line, places = reader.places(ids)
        assert b"".join(map(tokenizer.spelling, ids[line.start : line.stop])).decode() == frame.source + "\n"
        shown = {"": frame.value} if frame.locals is None else json.loads(str(segments[1]))
        assert list(places) == list(shown)
        for name, place in places.items():
            spelt = b"".join(tokenizer.spelling(ids[at]) for at in place.tokens)
            text = json.dumps(shown[name], ensure_ascii=False).encode()
            assert (place.lead + text[1:]) in (spelt, spelt[: len(place.lead) + len(text) - 1])
            first, last = ids[place.tokens[0]], ids[place.tokens[-1]]
            assert len(place.lead) <= len(spelt) - len(tokenizer.spelling(last)) + len(tokenizer.spelling(first))
            assert place.unchanged == (shown[name] == ".." and bool(name))


def test_probabilities_go_to_the_parts_that_they_are_of() -> None:
    frame = FRAMES[2]
    *_, segments = frame_segments(FRAMES[:3])
    ids = SMALL.encode(segments)
    logprobs, margins = [-float(i + 1) for i in range(len(ids))], [100.0 - i for i in range(len(ids))]
    step = FrameReader(SMALL).step(frame, ids, logprobs, margins)
    assert (step.event_logprob, step.tokens, step.logprob) == (-1.0, len(ids), sum(logprobs))
    assert [(v.name, v.text, v.unchanged) for v in step.values] == [
        ("x", "[1, '…']", False),
        ("_s_", "'a\"b\\\\'", True),
        ("y", "'é'", False),
    ]
    mark = ids.index(SMALL.id_of(Token.ACTION_SEP))
    assert step.line_logprob == sum(logprobs[mark + 1 : -1])
    y = step.values[2]  # its tokens end the locals
    assert y.logprob == sum(logprobs[mark - y.tokens : mark])
    assert y.margin == margins[mark - 1]


def test_what_two_dots_stand_for_is_what_was_written_as_two_dots() -> None:
    seen = 0
    for seed in range(30):
        program = synthesise(seed)
        try:
            trace = record_program(program.source, program.entry, program.arguments, Limits(seconds=1, max_events=200))
        except ForetraceError:
            continue
        for at, (frame, segments) in enumerate(zip(trace.frames, frame_segments(trace.frames), strict=True)):
            if frame.event is Event.LINE:
                dotted = {name for name, text in json.loads(str(segments[1])).items() if text == ".."}
                before = previous_state(trace.frames, at, frame.depth)
                assert dotted == {name for name, text in frame.state.items() if before.get(name) == text}
                seen += len(dotted)
    assert seen > 100


@pytest.mark.parametrize("finish", [
    Finish(StopReason.END), Finish(StopReason.BUDGET, "tokens"), Finish(StopReason.CONTEXT, "context"),
    Finish(StopReason.FORMAT, "frame 2: is odd"), Finish(StopReason.BUDGET, "time"),
])  # fmt: skip
def test_a_trace_says_how_it_ended(finish: Finish) -> None:
    source = "def f(x):\n    return x\n"
    real = record_program(source, "f", "1")
    frames = real.frames if finish.reason is StopReason.END else real.frames[:2]
    trace = trace_of(build_prompt(source, "f", "1"), frames, finish, "m")
    assert finish_of(trace) == finish
    assert (trace.header.outcome is Outcome.RETURNED) == (finish.reason is StopReason.END)
    assert (trace.header.kind, trace.header.model, trace.header.arguments) == ("predicted", "m", {"x": "1"})


def test_a_trace_that_nobody_finished_is_no_complete_one() -> None:
    source = "def f(x):\n    raise x\n"
    real, prompt = record_program(source, "f", "ValueError()"), build_prompt(source, "f", "ValueError()")
    assert trace_of(prompt, real.frames, Finish(StopReason.END), "m").exception == "ValueError()"
    assert trace_of(prompt, real.frames, None, "m").header.detail == "stopped"


def test_steps_are_made_when_asked_for_and_say_how_they_end() -> None:
    made = []

    def run():
        for at in range(2):
            made.append(at)
            yield step_without_tokens(FRAMES, at, FRAMES[at], lambda name: 0.5)
        return Finish(StopReason.CONTEXT)

    steps = Steps(run())
    assert next(steps).frame is FRAMES[0]
    assert (made, steps.finish) == ([0], None)
    assert [step.frame for step in steps] == [FRAMES[1]]
    assert list(steps) == []
    assert steps.finish == Finish(StopReason.CONTEXT)


def test_a_step_without_tokens_has_the_probabilities_that_it_is_given() -> None:
    step = step_without_tokens(FRAMES, 2, FRAMES[2], {"x": 0.5, "_s_": 0.99, "y": 0.8}.__getitem__)
    assert isinstance(step, Step)
    assert [v.unchanged for v in step.values] == [False, True, False]
    assert [round(math.exp(v.logprob), 6) for v in step.values] == [0.5, 0.99, 0.8]
    assert [round(v.margin, 6) for v in step.values] == [0.0, round(math.log(99), 6), round(math.log(4), 6)]
    assert step.logprob == pytest.approx(math.log(0.5 * 0.99 * 0.8))
    assert step.tokens > 5


def test_a_prompt_is_extended_by_what_is_known() -> None:
    source = "def f(x):\n    y = x\n    return y\n"
    real, prompt = record_program(source, "f", "1"), build_prompt(source, "f", "1")
    assert extended(prompt, prompt.frames) == prompt
    longer = extended(prompt, real.frames[:3])
    assert longer.frames == real.frames[:3]
    assert longer.segments[: len(prompt.segments)] == prompt.segments
    assert longer.segments[-5:] == (
        Token.LINE_SEP,
        '{"x": "..", "y": "1"}',
        Token.ACTION_SEP,
        "    return y\n",
        Token.FRAME_SEP,
    )
