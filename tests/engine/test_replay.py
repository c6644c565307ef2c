"""A trace from a file, told frame by frame."""

import json
from pathlib import Path

import pytest

from foretrace.engine import Finish, ReplayPredictor, StopReason, build_prompt, trace_of
from foretrace.errors import FormatError, UsageError
from foretrace.record import record_program
from foretrace.trace import Event, Limits, Trace, to_binary, write_jsonl

SOURCE = "def f(n):\n    for i in range(n):\n        n -= 1\n    return n\n"
PROMPT = build_prompt(SOURCE, "f", "3")


@pytest.fixture
def trace() -> Trace:
    return record_program(SOURCE, "f", "3")


@pytest.mark.parametrize("form", ["t.jsonl", "t.ftb"])
def test_a_file_is_told_frame_by_frame(trace: Trace, tmp_path: Path, form: str) -> None:
    path = tmp_path / form
    if form == "t.ftb":
        path.write_bytes(to_binary([trace]))
    else:
        with path.open("w") as file:
            write_jsonl(trace, file)
    replay = ReplayPredictor.load(path, "replay:x")
    for known in (1, 4, len(trace)):
        steps = replay.steps(PROMPT, trace.frames[:known], budget=9999)
        told = list(steps)
        assert tuple(step.frame for step in told) == trace.frames[known:]
        assert steps.finish == Finish(StopReason.END)
        assert trace_of(PROMPT, trace.frames, steps.finish, "x").result == trace.result
    assert replay.name == "replay:x"
    assert [step.frame for step in replay.score(PROMPT, trace.frames)] == list(trace.frames)
    assert replay.alternatives(PROMPT, trace.frames[:2], trace.frames[2], "n", 3) == []
    assert replay.events(PROMPT, trace.frames[:1])[Event.LINE] == 1
    assert replay.events(PROMPT, trace.frames)[None] == 1


def test_what_a_step_says_can_be_written_as_json(trace: Trace) -> None:
    for step in ReplayPredictor(trace).steps(PROMPT, trace.frames[:1], budget=9999):
        numbers = [step.logprob, *(n for v in step.values for n in (v.logprob, v.margin))]
        assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers
        assert all(v.logprob > -1e-6 for v in step.values)


def test_a_trace_that_was_cut_ends_as_it_was(trace: Trace) -> None:
    cut = record_program(SOURCE, "f", "3", Limits(max_events=4))
    steps = ReplayPredictor(cut).steps(PROMPT, cut.frames[:1], budget=9999)
    assert len(list(steps)) == len(cut) - 1
    assert steps.finish == Finish(StopReason.BUDGET, "events")
    short = ReplayPredictor(trace).steps(PROMPT, trace.frames[:1], budget=30)
    assert 0 < len(list(short)) < len(trace) - 1
    assert short.finish == Finish(StopReason.BUDGET)


def test_what_cannot_be_replayed_is_a_clear_error(trace: Trace, tmp_path: Path) -> None:
    other = build_prompt("def f(n):\n    return n\n", "f", "3")
    with pytest.raises(UsageError, match="another program"):
        ReplayPredictor(trace).steps(other, other.frames, budget=10)
    with pytest.raises(UsageError, match="no trace at"):
        ReplayPredictor.load(tmp_path / "none.ftb")
    for content, error in ((b"\xff\xfe", FormatError), (b"hello\n", FormatError), (b"", UsageError)):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(error):
            ReplayPredictor.load(tmp_path / "bad")
