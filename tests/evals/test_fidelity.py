"""Trace fidelity, on an engine whose errors are known."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))

from replay import ReplayEngine

from foretrace.errors import UsageError
from foretrace.evals import Case, evaluate, held_out_cases, load_cruxeval
from foretrace.record import record_program

SOURCE = "def f(n):\n    a = n + 1\n    b = a * 2\n    return b\n"
REAL = record_program(SOURCE, "f", "3")
CASE = Case("one", SOURCE, "f", "3", REAL, "8")


def test_a_perfect_engine_scores_full_marks() -> None:
    report = evaluate(ReplayEngine([REAL]), [CASE], title="t")
    shares = {name: share.value for name, share in report.shares().items()}
    assert shares == {
        "output pass@1": 1.0,
        "exact trace": 1.0,
        "state exact match (true history)": 1.0,
        "action exact match (true history)": 1.0,
        "did not fit the context": 0.0,
    }


def test_each_mistake_is_counted_where_it_belongs() -> None:
    wrong_state = evaluate(ReplayEngine([REAL], damage={'"a": "4"': '"a": "5"'}), [CASE], title="t").results[0]
    assert (wrong_state.right_output, wrong_state.exact_trace) == (True, False)
    assert (wrong_state.states, wrong_state.actions) == ([True, False, True, True], [True] * 4)
    assert (wrong_state.divergence, wrong_state.first_error) == ("value", 2)
    wrong_value = evaluate(ReplayEngine([REAL], damage={'"8"': '"9"'}), [CASE], title="t").results[0]
    assert (wrong_value.right_output, wrong_value.predicted) == (False, "9")


def test_what_does_not_fit_counts_as_wrong() -> None:
    report = evaluate(ReplayEngine([REAL]), [CASE], title="t", max_tokens=20)
    assert report.shares()["output pass@1"].value == 0
    assert report.shares()["did not fit the context"].value == 1


def test_the_report_is_json_and_text() -> None:
    report = evaluate(ReplayEngine([REAL]), [CASE], title="some title")
    assert json.loads(json.dumps(report.to_dict()))["by_type"]["int"]["share"] == 1.0
    assert "some title" in report.text()
    assert "100.0 %" in report.text()


def test_held_out_cases_are_reproducible_and_return() -> None:
    first, again = held_out_cases(3), held_out_cases(3)
    assert [c.source for c in first] == [c.source for c in again]
    assert all(c.real.result == c.expected for c in first)


def test_other_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no CRUXEval data"):
        load_cruxeval(tmp_path / "none.jsonl")
    (tmp_path / "x.jsonl").write_text("{}\n")
    with pytest.raises(UsageError, match="not the official"):
        load_cruxeval(tmp_path / "x.jsonl")
