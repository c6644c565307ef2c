"""Predicting step by step: the same as all at once, whatever the model writes, and what else it could have written."""

import json
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine import (
    Drafter,
    Finish,
    Generation,
    Grammar,
    Prompt,
    Step,
    StopReason,
    TokenPredictor,
    build_prompt,
    load,
    load_predictor,
    predict,
    trace_of,
)
from foretrace.engine.steps import FrameReader, extended
from foretrace.errors import FormatError, RefusedError, UsageError
from foretrace.record import record_program
from foretrace.trace import Event, Frame, Segment, Token, Trace, diff, frame_segments, to_segments, write_jsonl

LOOP = "def f(x):\n    y = x + 1\n    for i in range(2):\n        y = y * i\n    return y\n"
CALLS = "def f(n):\n    if n < 2:\n        return n\n    return f(n - 1) + f(n - 2)\n"
TEXT = "def f(s):\n    out = ''\n    for c in s:\n        out = c + out\n    return out\n"
RAISES = (
    "def f(n):\n    try:\n        g(n)\n    except ValueError:\n        n = -n\n    return h(n)\n\n"
    "def g(n):\n    h(n)\n    raise ValueError(n)\n\ndef h(n):\n    return [1][n]\n"
)


class Scripted:
    """An engine that continues with a written document, whatever it is asked; every token has another probability."""

    name, context_length = "scripted", 10_000

    def __init__(self, document: Sequence[Segment]) -> None:
        self.tokenizer = Tokenizer.train([], vocab_size=800)
        self.ids = self.tokenizer.encode(document)
        self.asked = 0

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        stop: Collection[int] = (),
        grammars: Sequence[Grammar] | None = None,
        drafters: Sequence[Drafter] | None = None,
    ) -> list[Generation]:
        self.asked += 1
        [prompt] = prompts
        start, tokens = len(prompt), []
        room = self.context_length - start
        for token in self.ids[start : start + min(max_tokens, room)]:
            tokens.append(token)
            if token in stop:
                break
        logprobs = [-0.001 * at for at in range(start, start + len(tokens))]
        finish = "stop" if tokens and tokens[-1] in stop else "context" if room < max_tokens else "length"
        return [Generation(tokens, logprobs, finish, [5.0] * len(tokens))]


class Verbose(Scripted):
    """An engine that writes a trace frame by frame, and every value in full."""

    def __init__(self, trace: Trace) -> None:
        super().__init__([])
        self.prompts: list[list[int]] = []
        self.written = []
        for frame, segments in zip(trace.frames, frame_segments(trace.frames), strict=True):
            shown = [segments[0], json.dumps(frame.locals), *segments[2:]] if frame.locals is not None else segments
            self.written.append(self.tokenizer.encode(shown))

    def generate(self, prompts: Sequence[Sequence[int]], **_: object) -> list[Generation]:
        [prompt] = prompts
        self.prompts.append(list(prompt))
        at = len(self.prompts)
        tokens = self.written[at] if at < len(self.written) else [self.tokenizer.id_of(Token.END_OF_TEXT)]
        return [Generation(tokens, [-0.1] * len(tokens), "stop", [1.0] * len(tokens))]


@pytest.fixture(scope="module")
def tiny() -> TokenPredictor:
    return TokenPredictor(load("tiny"))


def frames_of(prompt: Prompt, steps: Iterator[Step]) -> list[Frame]:
    return [*prompt.frames, *(step.frame for step in steps)]


@pytest.mark.parametrize(("source", "arguments"), [(LOOP, "3"), (CALLS, "2"), (TEXT, "'ab'")])
def test_frame_by_frame_is_the_same_as_all_at_once(tiny: TokenPredictor, source: str, arguments: str) -> None:
    prompt = build_prompt(source, "f", arguments)
    whole = predict(tiny.engine, source, "f", arguments, max_tokens=600)
    steps = tiny.steps(prompt, prompt.frames, budget=600)
    frames = frames_of(prompt, steps)
    assert trace_of(prompt, frames, steps.finish, tiny.name) == whole
    middle = len(frames) // 2  # going on from there, as a debugger does
    rest = tiny.steps(prompt, frames[:middle], budget=600)
    assert [step.frame for step in rest] == frames[middle:]


def test_the_budget_is_kept(tiny: TokenPredictor) -> None:
    prompt = build_prompt(LOOP, "f", "3")
    full = list(tiny.steps(prompt, prompt.frames, budget=600))
    budget = full[0].tokens + full[1].tokens + 3
    steps = tiny.steps(prompt, prompt.frames, budget=budget)
    assert list(steps) == full[:2]
    assert steps.finish == Finish(StopReason.BUDGET)
    assert list(tiny.steps(prompt, prompt.frames, budget=0)) == []


def test_what_a_step_was_sure_of_is_what_it_is_scored_by(tiny: TokenPredictor) -> None:
    prompt = build_prompt(LOOP, "f", "3")
    steps = list(tiny.steps(prompt, prompt.frames, budget=600))
    scored = tiny.score(prompt, [*prompt.frames, *(step.frame for step in steps)])
    assert len(scored) == len(steps) + 1
    for step, again in zip(steps, scored[1:], strict=True):
        assert again.frame == step.frame
        parts = ("logprob", "event_logprob", "line_logprob")
        np.testing.assert_allclose([getattr(again, p) for p in parts], [getattr(step, p) for p in parts], atol=1e-3)
        for value, other in zip(step.values, again.values, strict=True):
            assert (value.name, value.text, value.tokens, value.unchanged) == (
                other.name,
                other.text,
                other.tokens,
                other.unchanged,
            )
            assert value.logprob == pytest.approx(other.logprob, abs=1e-3)
            assert 0 <= other.margin <= value.margin + 1e-3  # a bound, and greedy: never below nothing


def test_a_real_value_that_was_not_expected_is_a_surprise(tiny: TokenPredictor) -> None:
    prompt = build_prompt(LOOP, "f", "3")
    real = record_program(LOOP, "f", "3")
    [before, *_] = tiny.score(prompt, real.frames)[2:]
    odd = replace(real.frames[2], locals={"x": "3", "y": "['odd']"})
    after = tiny.score(prompt, [*real.frames[:2], odd])[-1]
    assert after.values[1].logprob < before.values[1].logprob - 5
    assert after.values[1].margin < 0


def test_only_what_fits_is_scored(tiny: TokenPredictor) -> None:
    source = "def f(n):\n    for i in range(n):\n        pass\n    return n\n"
    prompt, real = build_prompt(source, "f", "300"), record_program(source, "f", "300")
    steps = tiny.score(prompt, real.frames)
    assert 50 < len(steps) < len(real.frames)
    assert [step.frame for step in steps] == list(real.frames[: len(steps)])


def test_sampling_is_seeded_by_frame_and_not_by_history(tiny: TokenPredictor) -> None:
    prompt = build_prompt(TEXT, "f", "'ab'")
    draws = {}
    for seed in (1, 1, 2, 3):
        steps = [s.frame for s in tiny.steps(prompt, prompt.frames, budget=300, temperature=1.5, seed=seed)]
        assert draws.setdefault(seed, steps) == steps
    assert len({repr(steps) for steps in draws.values()}) > 1
    frames = [*prompt.frames, *draws[1]]
    again = tiny.steps(prompt, frames[:2], budget=300, temperature=1.5, seed=1)
    assert next(again).frame == frames[2]


def test_under_the_grammar_no_line_is_invented(tiny: TokenPredictor) -> None:
    prompt = build_prompt(CALLS, "f", "3")
    for seed in range(3):
        for step in tiny.steps(prompt, prompt.frames, budget=200, temperature=2.0, seed=seed, grammar=True):
            assert not step.ghost


def test_an_exception_is_told_with_whether_it_left_its_scope() -> None:
    for arguments in ("0", "-1"):  # caught; not caught
        real, prompt = record_program(RAISES, "f", arguments), build_prompt(RAISES, "f", arguments)
        assert any(f.event is Event.EXCEPTION and f.unwind for f in real.frames)
        engine = Scripted(to_segments(real))
        steps = TokenPredictor(engine).steps(prompt, prompt.frames, budget=5000)
        assert tuple(frames_of(prompt, steps)) == real.frames
        assert steps.finish == Finish(StopReason.END)
        known = [f for f in real.frames if f.event is not Event.RETURN][:1]
        for frame in real.frames[1:]:  # one by one, each time anew
            following = TokenPredictor(engine).steps(prompt, known, budget=5000)
            assert next(following).frame == frame
            known.append(frame)


@pytest.mark.parametrize("arguments", ["0", "-1"])
def test_how_a_frame_was_spelt_does_not_matter_to_what_follows(arguments: str) -> None:
    """The engine is asked to go on from the frames as they stand in a trace, so that going on later asks the same."""
    real, prompt = record_program(RAISES, "f", arguments), build_prompt(RAISES, "f", arguments)
    engine = Verbose(real)
    steps = TokenPredictor(engine).steps(prompt, prompt.frames, budget=5000)
    assert tuple(frames_of(prompt, steps)) == real.frames
    assert any(engine.tokenizer.encode(s) != w for s, w in zip(frame_segments(real.frames), engine.written, strict=True))
    for known, asked in enumerate(engine.prompts, 1):
        assert asked == engine.tokenizer.encode(extended(prompt, real.frames[:known]).segments)


def test_steps_come_one_by_one() -> None:
    real, prompt = record_program(LOOP, "f", "1"), build_prompt(LOOP, "f", "1")
    engine = Scripted(to_segments(real))
    steps = TokenPredictor(engine).steps(prompt, prompt.frames, budget=5000)
    assert engine.asked == 0
    first = next(steps)
    assert (first.frame, engine.asked) == (real.frames[1], 1)
    start = len(engine.tokenizer.encode(prompt.segments))
    assert first.event_logprob == pytest.approx(-0.001 * start)
    assert first.logprob == pytest.approx(-0.001 * sum(range(start, start + first.tokens)))


def nonsense(real: Trace, segments: Sequence[Segment]) -> list[Segment]:
    return [*to_segments(real)[: -1 - sum(len(s) for s in [*frame_segments(real.frames)][3:])], *segments]


@pytest.mark.parametrize(
    ("segments", "detail"),
    [
        ([Token.LINE_SEP, "{not JSON", Token.ACTION_SEP, "    x\n", Token.FRAME_SEP], "locals are not JSON"),
        (["words", Token.FRAME_SEP], "does not start with an event"),
        ([Token.LINE_SEP, "{}", Token.FRAME_SEP], "must hold two texts"),
        ([Token.LINE_SEP, "{}", Token.END_OF_TEXT], "ends within a frame"),
        ([Token.END_OF_TEXT], "before the entry function is left"),
        ([Token.RETURN_SEP, Token.ACTION_SEP, "    x\n", Token.ARG_SEP, "3", Token.FRAME_SEP], "not a JSON string"),
    ],
)
def test_nonsense_ends_a_prediction_and_keeps_what_came_before(segments: list[Segment], detail: str) -> None:
    real, prompt = record_program(LOOP, "f", "1"), build_prompt(LOOP, "f", "1")
    steps = TokenPredictor(Scripted(nonsense(real, segments))).steps(prompt, prompt.frames, budget=5000)
    assert tuple(frames_of(prompt, steps)) == real.frames[:3]
    assert steps.finish is not None
    assert (steps.finish.reason, detail in steps.finish.detail) == (StopReason.FORMAT, True)
    trace = trace_of(prompt, real.frames[:3], steps.finish, "scripted")
    first = diff(trace, real).first
    assert first is not None
    assert (first.kind, first.step) == ("format", 3)


def test_what_follows_the_end_of_the_entry_is_nonsense() -> None:
    real, prompt = record_program(LOOP, "f", "1"), build_prompt(LOOP, "f", "1")
    steps = TokenPredictor(Scripted([*to_segments(real)[:-1], *to_segments(real)[4:]])).steps(
        prompt, prompt.frames, budget=9999
    )
    assert tuple(frames_of(prompt, steps)) == real.frames
    assert steps.finish is not None
    assert steps.finish.reason is StopReason.FORMAT


def test_a_full_context_ends_a_prediction() -> None:
    real, prompt = record_program(LOOP, "f", "1"), build_prompt(LOOP, "f", "1")
    engine = Scripted(to_segments(real))
    engine.context_length = len(engine.tokenizer.encode(prompt.segments)) + 40
    steps = TokenPredictor(engine).steps(prompt, prompt.frames, budget=5000)
    assert len(list(steps)) >= 1
    assert steps.finish == Finish(StopReason.CONTEXT)


def test_known_frames_that_are_no_trace_are_an_error(tiny: TokenPredictor) -> None:
    prompt = build_prompt(LOOP, "f", "1")
    with pytest.raises(FormatError, match="outside any call"):
        tiny.steps(prompt, [Frame(Event.LINE, "f", 0, 2, "    y = x + 1", locals={})], budget=10)


def test_an_edited_value_is_what_the_model_goes_on_from() -> None:
    real, prompt = record_program(LOOP, "f", "1"), build_prompt(LOOP, "f", "1")
    edited = [*real.frames[:2], replace(real.frames[2], locals={"x": "1", "y": "77"})]
    line = [Token.LINE_SEP, '{"x": "..", "y": "..", "i": "0"}', Token.ACTION_SEP, "        y = y * i\n", Token.FRAME_SEP]
    changed = [s for frame in frame_segments(edited) for s in frame]
    engine = Scripted([*to_segments(real)[:4], *changed, *line])
    step = next(TokenPredictor(engine).steps(prompt, edited, budget=100))
    assert step.frame.state == {"x": "1", "y": "77", "i": "0"}
    assert [v.unchanged for v in step.values] == [True, True, False]


def test_events_are_probabilities_of_what_comes_next(tiny: TokenPredictor) -> None:
    prompt = build_prompt(LOOP, "f", "3")
    known = list(prompt.frames)
    steps = tiny.steps(prompt, prompt.frames, budget=600)
    for step in steps:
        chances = tiny.events(prompt, known)
        assert set(chances) == {*Event, None}
        assert sum(chances.values()) <= 1 + 1e-5
        assert chances[step.frame.event] == pytest.approx(math.exp(step.event_logprob), abs=1e-4)
        known.append(step.frame)
    assert steps.finish == Finish(StopReason.END)
    assert max(tiny.events(prompt, known).items(), key=lambda item: item[1])[0] is None


def probability(tiny: TokenPredictor, prompt: Prompt, known: Sequence[Frame], frame: Frame, name: str) -> float:
    value = next(v for v in tiny.score(prompt, [*known, frame])[-1].values if v.name == name)
    return math.exp(value.logprob)


def test_alternatives_are_the_likeliest_other_values(tiny: TokenPredictor) -> None:
    prompt, real = build_prompt(LOOP, "f", "41"), record_program(LOOP, "f", "41")
    known, frame = real.frames[:2], real.frames[2]  # y is assigned
    found = tiny.alternatives(prompt, known, frame, "y", 4)
    assert len(found) == 4
    shares = [a.probability for a in found]
    assert shares == sorted(shares, reverse=True)
    assert "42" not in [a.text for a in found]
    assert sum(shares) + probability(tiny, prompt, known, frame, "y") <= 1 + 1e-4
    for other in found:
        changed = replace(frame, locals={"x": "41", "y": other.text})
        assert other.probability >= probability(tiny, prompt, known, changed, "y") - 1e-5
    likely = {
        str(n): probability(tiny, prompt, known, replace(frame, locals={"x": "41", "y": str(n)}), "y") for n in range(60)
    }
    likely.pop("42")
    best = max(likely, key=likely.__getitem__)
    assert likely[best] <= found[0].probability + 1e-5


def test_alternatives_of_what_is_returned_and_of_what_stays(tiny: TokenPredictor) -> None:
    prompt, real = build_prompt(LOOP, "f", "41"), record_program(LOOP, "f", "41")
    last = len(real.frames) - 1
    returned = tiny.alternatives(prompt, real.frames[:last], real.frames[last], "", 2)
    assert len(returned) == 2
    assert real.frames[last].value not in [a.text for a in returned]
    changed = replace(real.frames[3], locals={"x": "41", "y": "777", "i": "0"})
    [kept] = tiny.alternatives(prompt, real.frames[:3], changed, "y", 1)
    assert (kept.text, kept.probability > 0.9) == ("42", True)  # written `..`
    with pytest.raises(UsageError, match=r"no value called 'z'; those it has: 'x', 'y'"):
        tiny.alternatives(prompt, real.frames[:2], real.frames[2], "z", 1)


def test_a_search_for_alternatives_ends(tiny: TokenPredictor) -> None:
    source = "def f(s):\n    return s\n"
    prompt = build_prompt(source, "f", repr("zq" * 200))
    frame = Frame(Event.RETURN, "f", 0, 2, "    return s", value=repr("zq" * 200))
    assert isinstance(tiny.alternatives(prompt, prompt.frames, frame, "", 3), list)


def test_names_with_quotes_and_letters_of_all_kinds(tiny: TokenPredictor) -> None:
    tokenizer = tiny.engine.tokenizer
    frame = Frame(Event.CALL, "f", 0, 1, "def f(ä):", locals={"ä": "'\\n\"'", "_b_": "..."})
    [segments] = frame_segments([frame])
    step = FrameReader(tokenizer).step(frame, tokenizer.encode(segments), *[[-0.5] * len(tokenizer.encode(segments))] * 2)
    assert [(v.name, v.text) for v in step.values] == [("ä", "'\\n\"'"), ("_b_", "...")]


def test_names_of_predictors(tmp_path: Path) -> None:
    real = record_program(LOOP, "f", "1")
    with (tmp_path / "t.jsonl").open("w") as file:
        write_jsonl(real, file)
    prompt = build_prompt(LOOP, "f", "1")
    for name in (f"replay:{tmp_path}/t.jsonl", "oracle:err=0,seed=3"):
        predictor = load_predictor(name, real=lambda prompt: real)
        assert predictor.name == name
        assert tuple(frames_of(prompt, predictor.steps(prompt, prompt.frames, budget=9999))) == real.frames
    assert load_predictor("tiny").name == "tiny"
    assert load_predictor("oracle", real=lambda prompt: real).name == "oracle"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tinny", r"no model called 'tinny' \(did you mean 'tiny'\?\)\n  known here: tiny, oracle, replay:TRACE.*\n  try: "),
        ("oracle:err=2", "0 to 1, not 2"),
        ("oracle:err=x", "err and seed are numbers"),
        ("oracle:kinds=value+walue", "no errors of kind walue; the kinds are: value"),
        ("oracle:error=1", "no option 'error=1'; the options are: err=…, seed=…, kinds=…"),
        ("replay:none.jsonl", "no trace at none.jsonl; make one with"),
        ("replay", "no model called 'replay'"),
    ],
)
def test_a_name_that_means_nothing_is_a_clear_error(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_predictor(name, real=lambda prompt: record_program(LOOP, "f", "1"))


def test_an_oracle_that_must_not_run_anything_is_refused() -> None:
    with pytest.raises(RefusedError, match="running code is off"):
        load_predictor("oracle:err=0")
