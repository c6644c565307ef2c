"""A branch as JSON Lines: any reader of traces reads it, and it says how sure each step is."""

import json

from judging import Judge, told
from sessions import session

from foretrace.debug.lines import closing_line, opening_line, step_lines
from foretrace.trace import Outcome, read_jsonl


def test_it_is_a_trace() -> None:
    made = session()
    made.run()
    lines = [opening_line(made), *step_lines(made), closing_line(made, {"more": [1]})]
    [trace] = read_jsonl(lines)
    assert trace.frames == tuple(step.frame for step in made.branch.timeline)
    assert (trace.header.kind, trace.result) == ("predicted", "'Found 0002'")
    assert json.loads(lines[-1])["more"] == [1]
    assert not any("p" in json.loads(line) for line in lines)


def test_how_sure_each_step_is() -> None:
    first, *steps = map(json.loads, step_lines(told(Judge(0.123456))))
    assert "p" not in first or first["p"]["values"] == {}  # the call is given
    assert steps[-1]["p"] == {"line": 0.1235, "values": {"s": 0.1235, "letter": 0.1235, "n": 0.1235, "c": 0.1235}}


def test_what_was_not_finished_is_cut() -> None:
    made = session(budget=60)
    made.run()
    [trace] = read_jsonl([opening_line(made), *step_lines(made), closing_line(made)])
    assert (trace.header.outcome, trace.header.detail) == (Outcome.TRUNCATED, "tokens")
