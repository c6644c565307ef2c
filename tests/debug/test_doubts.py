"""Other values and exceptions, as likely as a calibration lets them be."""

from math import exp

import pytest
from judging import Judge, told

from foretrace.debug import open_session
from foretrace.debug.doubts import Doubt, may_raise, other_values
from foretrace.engine import load_predictor

LOOKUP = "def g(d, k):\n    x = d[k]\n    return x + 1\n"


def test_without_a_judge_they_are_as_the_model_has_them() -> None:
    moment = told(None).here
    assert other_values(moment, "n") == moment.alternatives("n")
    assert other_values(moment, "n", 1) == moment.alternatives("n", 1)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4])
def test_where_the_model_is_trusted_less_so_is_what_else_it_held(share: float) -> None:
    moment = told(Judge(share)).here
    [own] = [exp(value.logprob) for value in moment.step.values if value.name == "n"]
    assert own > share
    raw, scaled = moment.alternatives("n"), other_values(moment, "n")
    assert [other.text for other in scaled] == [other.text for other in raw]
    assert [o.probability for o in scaled] == pytest.approx([o.probability * share / own for o in raw])


def test_where_it_is_trusted_more_nothing_is_added() -> None:
    moment = told(Judge(1.0)).here
    assert other_values(moment, "n") == moment.alternatives("n")


def test_exceptions_come_from_where_the_model_hesitated() -> None:
    tiny = load_predictor("tiny")
    sessions = [open_session(tiny, LOOKUP, "g", "{'a': 1, 'b': 2}, 'x'", judge=judge) for judge in (None, Judge(0.5))]
    for session in sessions:
        session.run()
    raw, judged = map(may_raise, sessions)
    assert raw
    assert all(doubt.probability is None for doubt in raw)  # nobody says what the model's own number is worth
    assert {(doubt.position, doubt.line, doubt.text) for doubt in judged} <= {(d.position, d.line, d.text) for d in raw}
    for doubt in judged:
        held = sessions[1].at(doubt.position - 1).events()
        assert 0.05 <= doubt.probability <= max(share for event, share in held.items() if event == "exception")
    assert may_raise(sessions[1], least=0.99) == []


def test_a_prediction_that_hesitates_nowhere_raises_nothing_else() -> None:
    session = told(Judge(0.9))
    session.run()
    assert may_raise(session) == []


def test_a_doubt_can_be_said_in_json() -> None:
    assert Doubt(2, 14, "KeyError('x')", 0.22).to_dict() == {
        "position": 2, "line": 14, "text": "KeyError('x')", "probability": 0.22,
    }  # fmt: skip
