"""The oracle: reality with errors of known kinds, the same each time, and doubts where the errors are."""

import math
from dataclasses import replace

import pytest

from foretrace.engine import Finish, OraclePredictor, Prompt, StopReason, build_prompt, trace_of
from foretrace.engine.oracle import KINDS, slip
from foretrace.errors import UsageError
from foretrace.record import record_program
from foretrace.trace import Event, Frame, Trace, diff

SOURCE = (
    "def f(word):\n    count, out = 0, ''\n    for c in word:\n        count += 1\n        out = g(c) + out\n"
    "    return out, count\n\ndef g(c):\n    if c == 'z':\n        raise KeyError(c)\n    return c * 2\n"
)


def run(prompt: Prompt) -> Trace:
    return record_program(prompt.call.source, prompt.call.entry, prompt.call.arguments)


PROMPT = build_prompt(SOURCE, "f", "'banana'")
RAISING = build_prompt(SOURCE, "f", "'baz'")


def told(oracle: OraclePredictor, prompt: Prompt = PROMPT, **options: object) -> Trace:
    steps = oracle.steps(prompt, prompt.frames, budget=100_000, **options)  # type: ignore[arg-type]
    frames = [*prompt.frames, *(step.frame for step in steps)]
    return trace_of(prompt, frames, steps.finish, oracle.name)


@pytest.mark.parametrize("prompt", [PROMPT, RAISING])
def test_without_errors_it_tells_what_happens(prompt: Prompt) -> None:
    real = run(prompt)
    assert diff(told(OraclePredictor(run, err=0), prompt), real).agrees


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prompt", [PROMPT, RAISING])
def test_each_kind_of_error_is_found_as_what_it_is(kind: str, prompt: Prompt) -> None:
    real, seen = run(prompt), set()
    for seed in range(60):
        first = diff(told(OraclePredictor(run, err=0.1, seed=seed, kinds=[kind]), prompt), real).first
        seen |= {first.kind} if first else set()
    assert seen == {kind}


def test_the_same_seed_gives_the_same_and_the_program_runs_once() -> None:
    runs = []

    def counted(prompt: Prompt) -> Trace:
        runs.append(prompt)
        return run(prompt)

    def everything(oracle: OraclePredictor) -> str:
        return repr(list(oracle.steps(PROMPT, PROMPT.frames, budget=100_000)))

    oracle = OraclePredictor(counted, err=0.3, seed=5)
    assert everything(oracle) == everything(oracle) == everything(OraclePredictor(run, err=0.3, seed=5))
    assert everything(oracle) != everything(OraclePredictor(run, err=0.3, seed=6))
    assert len(runs) == 1
    told(oracle, RAISING)
    assert len(runs) == 2


def test_going_on_from_the_middle_gives_the_same() -> None:
    for seed in range(20):
        oracle = OraclePredictor(run, err=0.2, seed=seed)
        frames = told(oracle).frames
        for at in range(1, len(frames), 5):
            assert tuple(s.frame for s in oracle.steps(PROMPT, frames[:at], budget=100_000)) == frames[at:]


def test_at_a_temperature_another_seed_errs_elsewhere() -> None:
    oracle = OraclePredictor(run, err=0.2, seed=1, kinds=["value"])
    assert told(oracle, seed=1) == told(oracle, seed=2)
    assert told(oracle, temperature=0.8, seed=1) != told(oracle, temperature=0.8, seed=2)


def test_a_grammar_forbids_ghosts_and_nonsense() -> None:
    for seed in range(40):
        trace = told(OraclePredictor(run, err=0.3, seed=seed, kinds=["ghost", "format", "value"]), grammar=True)
        assert not any(frame.ghost for frame in trace.frames)
        assert not trace.header.detail


def test_an_invented_exception_leaves_all_scopes() -> None:
    seen = set()
    for seed in range(40):
        trace = told(OraclePredictor(run, err=0.1, seed=seed, kinds=["exception"]))
        if trace.exception is not None:
            last = [f for f in trace.frames if f.event is Event.EXCEPTION]
            assert all(f.unwind and f.value == trace.exception for f in last)
            assert [f.depth for f in last] == list(range(last[0].depth, -1, -1))
            seen.add(last[0].depth)
    assert seen == {0, 1}


def test_an_edited_value_lives_on_until_it_is_assigned() -> None:
    real = run(PROMPT)
    at = next(i for i, f in enumerate(real.frames) if f.state.get("count") == "1")
    edited: list[Frame] = [
        *real.frames[:at],
        replace(real.frames[at], locals=real.frames[at].state | {"count": "7", "c": "'q'"}),
    ]
    oracle = OraclePredictor(run, err=0)
    after = [step.frame for step in oracle.steps(PROMPT, edited, budget=100_000)]
    mine = [f for f in after if f.depth == 0 and f.event is Event.LINE]
    assert mine[0].state["count"] == "7"  # across the call of g, too
    assert mine[0].state["c"] == "'q'"
    assert mine[1].state["c"] == "'a'"
    assert [f.state["count"] for f in mine][-1] == "6"


def test_it_is_less_sure_where_it_is_wrong() -> None:
    real, right, wrong = run(PROMPT), [], []
    for seed in range(30):
        oracle = OraclePredictor(run, err=0.2, seed=seed, kinds=["value", "return"])
        for step, frame in zip(oracle.steps(PROMPT, PROMPT.frames, budget=10**6), real.frames[1:], strict=True):
            for value in step.values:
                true = frame.value if frame.locals is None else frame.locals[value.name]
                (right if value.text == true else wrong).append(math.exp(value.logprob))
    assert sum(right) / len(right) > 0.9
    assert sorted(wrong)[len(wrong) // 4] < 0.6
    assert all(0 < share < 1 for share in right + wrong)


def test_the_right_value_is_the_first_alternative_to_a_wrong_one() -> None:
    real = run(PROMPT)
    oracle = OraclePredictor(run, err=0.5, seed=2, kinds=["value"])
    checked = 0
    for at in range(1, len(real.frames)):
        step = next(oracle.steps(PROMPT, real.frames[:at], budget=10**6))
        true = real.frames[at].locals or {"": real.frames[at].value}
        for value in step.values:
            others = oracle.alternatives(PROMPT, real.frames[:at], step.frame, value.name, 3)
            assert value.text not in [a.text for a in others]
            assert sum(a.probability for a in others) <= 1 - math.exp(value.logprob) + 1e-9
            if value.text != true[value.name]:
                checked += 1
                assert others[0].text == true[value.name]
    assert checked > 5
    with pytest.raises(UsageError, match="no value called 'nope'"):
        oracle.alternatives(PROMPT, real.frames[:3], real.frames[3], "nope", 1)


def test_a_real_trace_is_surprising_where_the_oracle_errs() -> None:
    real = run(PROMPT)
    oracle = OraclePredictor(run, err=0.3, seed=4, kinds=["value"])
    scored = oracle.score(PROMPT, real.frames)
    assert [step.frame for step in scored] == list(real.frames)
    for at in range(1, len(real.frames)):
        step = next(oracle.steps(PROMPT, real.frames[:at], budget=10**6))
        for value, given in zip(step.values, scored[at].values, strict=True):
            assert (given.logprob < math.log(0.2)) == (value.text != given.text)


def test_events_and_the_budget() -> None:
    real = run(RAISING)
    oracle = OraclePredictor(run, err=0)
    for at in range(1, len(real.frames)):
        chances = oracle.events(RAISING, real.frames[:at])
        assert max(chances, key=chances.__getitem__) is real.frames[at].event
        assert sum(chances.values()) <= 1
    assert oracle.events(RAISING, real.frames)[None] > 0.9
    steps = oracle.steps(PROMPT, PROMPT.frames, budget=60)
    assert 0 < sum(step.tokens for step in steps) <= 60
    assert steps.finish == Finish(StopReason.BUDGET)


@pytest.mark.parametrize("text", ["3", "True", "None", "'ab'", "''", "[]", "[1, 2]", "{'a': 10}", "<A#1>", "…", "-0.5", ""])
def test_a_slip_is_another_text(text: str) -> None:
    import random

    assert all(slip(text, random.Random(seed)) != text for seed in range(30))


def test_settings_that_mean_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="no errors of kind lime"):
        OraclePredictor(run, kinds=["line", "lime"])
    with pytest.raises(UsageError, match="0 to 1"):
        OraclePredictor(run, err=-0.1)
