"""The solver on an endpoint whose answers are known: exactly what is asked, run, repaired, kept and told."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from model_server import ModelServer, Say

import foretrace
from foretrace.api.model import runner as real_runner
from foretrace.debug.confidence import Confidence
from foretrace.engine import load_predictor
from foretrace.errors import EndpointError, UsageError
from foretrace.evals.types import Setting
from foretrace.solve import Budget, Drawing, Foreseer, Gate, Plan, Receipt, Runner, Select, Solver, Verdict, Writer
from foretrace.solve.statement import read_task
from foretrace.solve.types import Candidate, Cell, Check, Foreseen, Origin, Ran, Standing

WEAK = Setting(isolation="process")
TASK = "Write `double(n)`.\n\ndouble(4) == 8\ndouble(0) == 0\n"
RIGHT = "def double(n):\n    return n + n\n"
WRONG = "def double(n):\n    return n + 4\n"


def fenced(code: str) -> str:
    return f"Sure:\n```python\n{code}```\n"


class Script:
    """Says its texts in order, the last one for ever, and keeps what it was asked."""

    def __init__(self, *texts: str) -> None:
        self.texts, self.asked = list(texts), list[list[dict[str, Any]]]()

    def __call__(self, messages: list[dict[str, Any]]) -> Say:
        self.asked.append(messages)
        return Say(self.texts.pop(0) if len(self.texts) > 1 else self.texts[0])


@pytest.fixture
def served() -> Iterator[Callable[[Script], str]]:
    servers = []

    def serve(script: Script) -> str:
        servers.append(ModelServer(script))
        return f"{servers[-1].url},model=m,concurrency=1"

    yield serve
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with Runner(WEAK) as made:
        yield made


def oracle(err: float = 0.0) -> Foreseer:
    """A world model that is right, or errs on purpose; it has no calibration."""
    return Foreseer(load_predictor(f"oracle:err={err},seed=1", real=real_runner()), Confidence(None))


class Sure(Foreseer):
    """A world model that says what it is told to say."""

    def __init__(self, told: dict[str, Foreseen]) -> None:
        super().__init__(load_predictor("tiny"), Confidence(None))
        self.told = told

    is_calibrated = True  # type: ignore[assignment]

    def look(self, source: str, check: Check, entry: str, meter: object = None) -> Foreseen:
        return self.told[check.text]


def plan(select: Select, **more: Any) -> Plan:
    return Plan(**({"select": select, "candidates": 2, "repairs": 1, "generated": 0} | more))


def test_the_first_right_program_is_kept_and_verified(served: Callable[[Script], str], runner: Runner) -> None:
    script = Script(fenced(WRONG), fenced(RIGHT))
    solver = Solver(Writer.of(served(script)), runner=runner, plan=plan(Select.VERIFIED))
    receipt = solver.solve(read_task(TASK))
    assert (receipt.verdict, receipt.source, receipt.chosen) == (Verdict.VERIFIED, RIGHT, 1)
    assert len(script.asked) == 2  # no repair
    assert [[cell.ran and cell.ran.passed for cell in c.cells] for c in receipt.candidates] == [[True, False], [True, True]]
    assert receipt.counts(Standing.VERIFIED) == (2, 2)
    assert receipt.counts(Standing.PREDICTED) == (0, 0)
    assert receipt.spent["runs"] == 6
    assert receipt.spent["written"] == 14
    assert receipt.spent["stopped"] == ""


def test_a_repair_is_told_what_failed_and_nothing_else(served: Callable[[Script], str], runner: Runner) -> None:
    script = Script(fenced(WRONG), fenced(WRONG), fenced(RIGHT))
    receipt = Solver(Writer.of(served(script)), runner=runner, plan=plan(Select.VERIFIED)).solve(read_task(TASK))
    assert receipt.verdict is Verdict.VERIFIED
    assert [(c.votes, c.turn, c.repairs) for c in receipt.candidates] == [(2, 0, None), (2, 1, 0)]
    [message] = script.asked[2]
    assert message["role"] == "user"
    assert "- double(0) gives 4, not 0 (it was run)" in message["content"]
    assert WRONG.strip() in message["content"]
    assert "double(4) gives" not in message["content"]


def test_nothing_runs_when_choosing_by_prediction(served: Callable[[Script], str]) -> None:
    script = Script(fenced(WRONG), fenced(RIGHT))
    receipt = Solver(Writer.of(served(script)), foreseer=oracle(), plan=plan(Select.PREDICTED)).solve(read_task(TASK))
    assert (receipt.verdict, receipt.source, receipt.isolation) == (Verdict.PREDICTED, RIGHT, "")
    assert receipt.counts(Standing.VERIFIED) == (0, 0)
    assert receipt.counts(Standing.PREDICTED) == (2, 2)
    assert receipt.spent["runs"] == 0
    assert all(cell.ran is None for c in receipt.candidates for cell in c.cells)
    [failing] = [cell for cell in receipt.candidates[0].cells if cell.passed is False]
    assert failing.foreseen is not None
    assert failing.foreseen.value == "4"


def test_greedy_takes_one_and_majority_the_most_frequent(served: Callable[[Script], str]) -> None:
    script = Script(fenced(WRONG))
    receipt = Solver(Writer.of(served(script)), plan=plan(Select.GREEDY, candidates=5)).solve(read_task(TASK))
    assert (len(script.asked), receipt.source, receipt.verdict) == (1, WRONG, Verdict.UNCHECKED)
    script = Script(
        fenced(WRONG), fenced(RIGHT), fenced(RIGHT.replace("n + n", "n   +  n  # twice")), "no code here, sorry."
    )
    receipt = Solver(Writer.of(served(script)), plan=plan(Select.MAJORITY, candidates=4)).solve(read_task(TASK))
    assert (receipt.source, [c.votes for c in receipt.candidates], receipt.unusable) == (RIGHT, [1, 2], 1)


def test_a_gate_runs_what_is_in_doubt_only(served: Callable[[Script], str], runner: Runner) -> None:
    told = {
        "double(4)": Foreseen(value="8", sure=0.99, agrees=True, passes=0.97),
        "double(0)": Foreseen(value="0", sure=0.6, agrees=True, passes=0.55),
    }
    solver = Solver(
        Writer.of(served(Script(fenced(RIGHT)))), foreseer=Sure(told), runner=runner, plan=plan(Select.GATED, gate=Gate())
    )
    receipt = solver.solve(read_task(TASK))
    assert receipt.spent["runs"] == 2  # once, and once more as it is kept
    assert [cell.standing for cell in receipt.candidates[0].cells] == [Standing.PREDICTED, Standing.VERIFIED]
    assert receipt.verdict is Verdict.PARTLY  # never verified, as one check was not run
    with pytest.raises(UsageError, match="does not know how sure"):
        Solver(solver.writer, foreseer=oracle(), runner=runner, plan=plan(Select.GATED))


def test_own_tests_are_asked_for_and_do_not_overrule_the_statement(served: Callable[[Script], str], runner: Runner) -> None:
    script = Script(fenced(RIGHT), fenced(WRONG), "assert double(1) == 5\nassert double(4) == 9\nassert other(2) == 2\n")
    receipt = Solver(Writer.of(served(script)), runner=runner, plan=plan(Select.VERIFIED, own_tests=3)).solve(
        read_task(TASK)
    )
    assert [(c.origin, c.told) for c in receipt.checks[2:]] == [(Origin.MODEL, "double(1) == 5")]
    assert receipt.source == RIGHT
    assert receipt.verdict is Verdict.VERIFIED


def test_programs_that_agree_on_made_up_arguments_are_preferred(served: Callable[[Script], str], runner: Runner) -> None:
    odd = "def double(n):\n    return n * 2 if n in (0, 4) else 1\n"
    script = Script(fenced(odd), fenced(RIGHT), fenced("def double(n):\n    return 2 * n\n"))
    receipt = Solver(Writer.of(served(script)), runner=runner, plan=plan(Select.VERIFIED, candidates=3, generated=4)).solve(
        read_task(TASK)
    )
    assert receipt.chosen == 1
    assert [check.origin for check in receipt.checks].count(Origin.GENERATED) == 4
    assert receipt.counts(Standing.VERIFIED) == (2, 2)
    assert receipt.counts(Standing.VERIFIED, expected=False) == (0, 4)


def test_budgets_end_it_and_are_not_passed(served: Callable[[Script], str], runner: Runner) -> None:
    script = Script(fenced(WRONG))
    budget = Budget(runs=1)
    receipt = Solver(Writer.of(served(script)), runner=runner, plan=plan(Select.VERIFIED, budget=budget)).solve(
        read_task(TASK)
    )
    assert (receipt.spent["runs"], receipt.spent["stopped"], receipt.verdict) == (1, "runs", Verdict.PARTLY)
    script = Script(fenced(WRONG))
    plenty = plan(Select.VERIFIED, budget=Budget(tokens=60), candidates=3)
    receipt = Solver(Writer.of(served(script), drawing=Drawing(max_tokens=40)), runner=runner, plan=plenty).solve(
        read_task(TASK)
    )
    assert receipt.spent["stopped"] == "tokens"
    assert receipt.spent["written"] <= 60
    none = plan(Select.VERIFIED, budget=Budget(seconds=0))
    receipt = Solver(Writer.of(served(Script(fenced(RIGHT)))), runner=runner, plan=none).solve(read_task(TASK))
    assert (receipt.verdict, receipt.spent["stopped"]) == (Verdict.NOTHING, "seconds")


def test_programs_that_hang_crash_or_leave_fail_only_where_they_do(served: Callable[[Script], str], runner: Runner) -> None:
    bad = "import os\n\ndef double(n):\n    if n:\n        os._exit(0)\n    return 0\n"
    receipt = Solver(
        Writer.of(served(Script(fenced(bad)))), runner=runner, plan=plan(Select.VERIFIED, candidates=1, repairs=0)
    ).solve(read_task(TASK))
    assert [cell.ran and cell.ran.passed for cell in receipt.candidates[0].cells] == [False, True]
    assert receipt.verdict is Verdict.FAILED


class Moody(Runner):
    """A sandbox in which a program passes the first time it runs, and never again."""

    def run(self, source: str, checks: Sequence[Check], seconds: float | None = None) -> list[Ran]:
        seen = self.seen = getattr(self, "seen", set())
        ran = Ran(passed=True, value="8") if source not in seen else Ran(passed=False, value="7")
        seen.add(source)
        return [ran for _ in checks]


def test_what_passes_now_and_then_is_not_verified(served: Callable[[Script], str]) -> None:
    with Moody(WEAK) as moody:
        solver = Solver(Writer.of(served(Script(fenced(RIGHT)))), runner=moody, plan=plan(Select.VERIFIED, repairs=0))
        receipt = solver.solve(read_task("double(4) == 8"))
    assert receipt.verdict is Verdict.FAILED
    assert receipt.candidates[0].cells[0].ran == Ran(passed=False, value="7", error="it passed, and then did not: 7")


def test_programs_read_and_print(served: Callable[[Script], str], runner: Runner) -> None:
    task = "Print the square.\n\nInput\n```\n3\n```\nOutput\n```\n9\n```\n"
    script = Script(fenced("print(int(input()) * 3)\nprint(1)\n"), fenced("print(int(input()) ** 2)\n"))
    receipt = Solver(Writer.of(served(script)), foreseer=oracle(), runner=runner, plan=plan(Select.VERIFIED)).solve(
        read_task(task)
    )
    assert (receipt.verdict, receipt.chosen) == (Verdict.VERIFIED, 1)
    assert receipt.candidates[1].cells[0].foreseen == Foreseen(why="it is no call with literal arguments")


def test_a_server_that_fails_is_an_error(served: Callable[[Script], str]) -> None:
    writer = Writer.of("http://127.0.0.1:9/v1,model=m,timeout=1")
    writer.subject.endpoint.retries = type(writer.subject.endpoint.retries)(most=0)  # type: ignore[attr-defined]
    with pytest.raises(EndpointError, match="gives no answer"):
        Solver(writer, plan=plan(Select.GREEDY)).solve(read_task(TASK))


def test_the_verb_and_the_receipt_as_a_file(served: Callable[[Script], str], tmp_path: Path) -> None:
    (tmp_path / "task.md").write_text(TASK)
    receipt = foretrace.solve(
        tmp_path / "task.md", model=served(Script(fenced(RIGHT))), plan=plan(Select.VERIFIED), setting=WEAK
    )
    assert receipt.verdict is Verdict.VERIFIED
    assert receipt.predictor == "tiny"
    assert set(receipt.traces) == {"0.0", "0.1"}
    receipt.save(tmp_path / "receipt.json")
    assert Receipt.load(tmp_path / "receipt.json") == receipt
    told = receipt.to_json()
    assert told["verified_by_running"] == {"holding": 2, "of": 2}
    assert told["predicted_only"] == {"holding": 0, "of": 0}


def test_agreement_counts_values_and_exceptions() -> None:
    raising = Cell(foreseen=Foreseen(raises="ValueError('x')"), ran=Ran(passed=None, error="ValueError: y"))
    assert raising.is_right() is True
    assert Cell(foreseen=Foreseen(value="1"), ran=Ran(passed=None, value="True")).is_right() is False
    assert Cell(foreseen=Foreseen(why="no"), ran=Ran(passed=None, value="1")).is_right() is None
    assert Candidate(source="", cells=[raising]).cells[0].standing is Standing.VERIFIED
