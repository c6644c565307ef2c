"""Gates, maps, devised arguments, small writers, pages."""

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from foretrace.errors import CheckpointError, FormatError, UsageError
from foretrace.serve.guard import rules_for
from foretrace.solve import Foreseer, Gate, Receipt, Wording, read_task
from foretrace.solve.choice import Select, best
from foretrace.solve.devise import devise
from foretrace.solve.foresee import PASSING, Passing
from foretrace.solve.gate import Gated
from foretrace.solve.page import receipt_html
from foretrace.solve.receipt import is_receipt
from foretrace.solve.serving import make_receipt
from foretrace.solve.statement import arguments_of
from foretrace.solve.types import Candidate, Cell, Check, Foreseen, Origin, Ran
from foretrace.solve.writer import question_for_tests, question_of, repair_question

DOUBLE = "def double(n):\n    return n + n\n"


def told(passes: float, agrees: bool) -> Foreseen:
    return Foreseen(value="1", sure=0.9, agrees=agrees, passes=passes)


def test_a_gate_skips_what_is_sure_either_way_and_is_counted() -> None:
    gate = Gate(certainty=0.9)
    cases = [(told(0.97, True), True), (told(0.95, True), False), (told(0.02, False), False), (told(0.55, True), True)]
    assert [gate.skips(foreseen) for foreseen, _ in cases] == [True, True, True, False]
    assert not gate.skips(None)
    assert not gate.skips(Foreseen(value="1", agrees=True))
    found = Gated.of(gate, cases)
    counts = [(share.hits, share.total) for share in (found.skipped, found.precision, found.recall, found.failing)]
    assert counts == [(3, 4), (1, 2), (1, 2), (1, 1)]
    with pytest.raises(UsageError, match="above a half"):
        Gate(certainty=0.5)


def test_votes_count_where_a_check_is_only_foreseen_and_not_where_all_ran() -> None:
    checks = [Check(origin=Origin.STATEMENT, text=f"f({n})", expected="1") for n in range(3)]

    def candidate(votes: int, *passes: float | bool) -> Candidate:
        cells = [Cell(ran=Ran(passed=p)) if isinstance(p, bool) else Cell(foreseen=told(p, p > 0.5)) for p in passes]
        return Candidate(source="x" * votes, votes=votes, cells=cells)

    def chosen(*candidates: Candidate) -> int:
        return best(candidates, checks, Select.GATED)

    assert chosen(candidate(1, 0.6, 0.6, 0.6), candidate(5, 0.5, 0.5, 0.5)) == 1
    assert chosen(candidate(1, 0.9, 0.9, 0.9), candidate(5, 0.5, 0.5, 0.5)) == 0
    assert chosen(candidate(1, True, True, True), candidate(8, True, True, False)) == 0
    assert chosen(candidate(1, True, False, False), candidate(8, False, False, False)) == 0
    assert chosen(candidate(8, True, True, False), candidate(1, True, True, 0.4)) == 1  # not ruled out yet
    assert chosen(candidate(8, True, True, 0.4), candidate(1, True, True, True)) == 0


def test_a_value_that_is_expected_is_likelier_to_pass_than_another() -> None:
    passing = Passing()
    assert passing(None, True) is None
    for sure in (0.2, 0.5, 0.95):
        agreeing, other = passing(sure, True), passing(sure, False)
        assert agreeing is not None
        assert other is not None
        assert agreeing > other
    assert passing(0.9, True) > passing(0.3, True)  # type: ignore[operator]


def test_a_model_may_have_a_map_of_its_own(tmp_path: Path) -> None:
    assert Passing.load(None) == Passing.load(tmp_path) == Passing()
    (tmp_path / PASSING).write_text('{"agreeing": [1, 0], "other": [0, 0]}')
    passing = Passing.load(tmp_path)
    assert passing(0.3, True) == pytest.approx(0.3)
    assert passing(0.3, False) == pytest.approx(0.5)
    (tmp_path / PASSING).write_text('{"agreeing": [1]}')
    with pytest.raises(CheckpointError, match="fit it again"):
        Passing.load(tmp_path)


def test_the_world_model_is_asked_once_a_call() -> None:
    foreseer = Foreseer.of("tiny")
    first = foreseer.look(DOUBLE, Check(origin=Origin.STATEMENT, text="double(4)", expected="8"), "double")
    second = foreseer.look(DOUBLE, Check(origin=Origin.GENERATED, text="double(4)"), "double")
    assert first.value == second.value == "8"
    assert first.agrees is True
    assert second.agrees is None
    assert second.passes is None
    assert 0 < first.passes < 1
    assert first.sure == second.sure
    assert foreseer.look(DOUBLE, Check(origin=Origin.STATEMENT, text="double(1, 2)", expected="8"), "double").why
    assert foreseer.look(DOUBLE, Check(origin=Origin.STATEMENT, text="len(double('a'))", expected="2"), "double").why


def test_made_up_arguments_are_new_literal_and_like_the_examples() -> None:
    task = read_task("joined(['a', 'bc']) == 'abc'\njoined([]) == ''\n")
    made = devise("def joined(words):\n    return ''.join(words)\n", task, count=6)
    assert len(made) == 6 == len({check.text for check in made})
    assert all(check.origin is Origin.GENERATED and arguments_of(check.text, "joined") for check in made)
    assert not {check.text for check in made} & {check.text for check in task.checks}
    assert made == devise("def joined(words):\n    return ''.join(words)\n", task, count=6)
    assert devise("def other(words):\n    return 1\n", task, count=3) == []


def test_questions_hold_what_is_to_be_known() -> None:
    task = read_task("Write `double(n)`.\n\ndouble(4) == 8\n")
    assert question_of(task, Wording.EXAMPLES) == "double(4) == 8\n\nWrite the function double."
    assert "Write `double(n)`." in question_of(task, Wording.STATEMENT)
    assert "def double" in repair_question(task, DOUBLE, ["double(4) gives 7, not 8"])
    assert "assert double(ARGUMENTS) == VALUE" in question_for_tests(task, 3)
    with pytest.raises(UsageError, match="from examples"):
        question_of(read_task("Write `double(n)`."), Wording.EXAMPLES)


@pytest.fixture(scope="module")
def receipt() -> Receipt:
    foreseer = Foreseer.of("tiny")
    checks = (
        Check(origin=Origin.STATEMENT, text="double(4)", expected="8"),
        Check(origin=Origin.STATEMENT, text="double('<b>')", expected="'<b><b>'"),
    )
    seen = [foreseer.look(DOUBLE, check, "double") for check in checks]
    from io import StringIO

    from foretrace.trace import write_jsonl

    text = StringIO()
    trace = foreseer.trace(DOUBLE, checks[0], "double")
    assert trace is not None
    write_jsonl(trace, text)
    cells = [Cell(foreseen=seen[0], ran=Ran(passed=True, value="8")), Cell(foreseen=seen[1])]
    spent = {"written": 7, "predicted": 60, "runs": 1, "seconds": 0.5, "stopped": "runs"}
    return Receipt(
        statement="<script>alert(1)</script> double(4) == 8",
        entry="double",
        select="gated",
        writer="m",
        predictor="tiny",
        is_calibrated=True,
        isolation="process",
        checks=checks,
        candidates=(Candidate(source=DOUBLE, cells=cells),),
        chosen=0,
        spent=spent,
        traces={"0.0": text.getvalue()},
    )


def test_the_page_tells_apart_what_ran_and_what_did_not(receipt: Receipt) -> None:
    html = receipt_html(receipt)
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert html.count("verified by running") == 2
    assert html.count("predicted only") == 2
    assert "<b>1/1</b>" in html
    assert "the budget of runs ran out" in html


def test_predictions_can_be_replayed_in_the_browser(receipt: Receipt) -> None:
    client = TestClient(
        make_receipt(receipt, rules_for("127.0.0.1", port=8765, token="t", page=True)), base_url="http://127.0.0.1:8765"
    )
    assert client.get("/").status_code == 401
    page = client.get("/?token=t")
    assert page.status_code == 200
    assert "/predictions/0.0" in page.text
    assert "/predictions/0.1" not in page.text
    assert 'id="recorded"' in client.get("/predictions/0.0").text
    assert client.get("/predictions/0.1").status_code == client.get("/predictions/..%2F0").status_code == 404


def test_files_that_are_no_receipts_are_refused(receipt: Receipt, tmp_path: Path) -> None:
    file = tmp_path / "receipt.json"
    receipt.save(file)
    assert is_receipt(file)
    content = json.loads(file.read_text())
    for change in ({"v": 2}, {"kind": "session"}, {"checks": [{"origin": "nobody", "text": "f"}]}, {"candidates": [3]}):
        file.write_text(json.dumps(content | change))
        with pytest.raises(FormatError):
            Receipt.load(file)
    file.write_text('{"other": 1}')
    assert not is_receipt(file)
