"""Proposes programs, foresees and runs their checks, repairs, chooses, and says on what the choice rests.

    solver = Solver(Writer.of("http://localhost:8000/v1,model=NAME"), foreseer=Foreseer.of("tiny"), runner=Runner())
    receipt = solver.solve(read_task(Path("task.md").read_text()))
    receipt.verdict, receipt.source

A turn: programs are drawn; those that say the same are one candidate with several votes; each is checked, as far as the
way of choosing wants and the budget allows. If the best does not do what the statement asks for, the next turn is told what
failed, and nothing else of what was said (fresh context: arXiv:2604.03253).
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from foretrace.errors import UsageError
from foretrace.solve.budget import Budget, Meter
from foretrace.solve.choice import Select, best
from foretrace.solve.devise import devise
from foretrace.solve.foresee import Foreseer
from foretrace.solve.gate import Gate
from foretrace.solve.receipt import Receipt, failure_of
from foretrace.solve.running import Runner
from foretrace.solve.statement import SolveTask
from foretrace.solve.types import Candidate, Cell, Check, Foreseen, Origin, Ran
from foretrace.solve.writer import Writer, normal
from foretrace.trace import write_jsonl

_TOLD = 5
"""Failures that a repair is told of."""
_SECONDS = 3.0
"""Of one candidate's checks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is tried."""

    select: Select = Select.VERIFIED
    candidates: int = 8
    """Programs of the first turn, and of each later one."""
    repairs: int = 2
    """Later turns at most."""
    generated: int = 6
    """Arguments that nobody gave."""
    own_tests: int = 0
    """Tests that the model writes."""
    gate: Gate = field(default_factory=Gate)
    budget: Budget = field(default_factory=Budget)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.candidates < 1 or min(self.repairs, self.generated, self.own_tests) < 0:
            raise UsageError("at least one candidate is needed, and no negative number of anything else")


class Solver:
    """A writer, a world model and a sandbox; what of the last two the way of choosing does not need may lack."""

    def __init__(
        self, writer: Writer, *, foreseer: Foreseer | None = None, runner: Runner | None = None, plan: Plan | None = None
    ) -> None:
        """Raises UsageError if what the plan needs is not there."""
        self.writer, self.foreseer, self.runner, self.plan = writer, foreseer, runner, plan or Plan()
        select = self.plan.select
        if select.foresees and foreseer is None:
            raise UsageError(f"to choose by {select} a world model is needed: --predictor tiny")
        if select.runs and runner is None:
            raise UsageError(f"to choose by {select} programs must run, and there is no sandbox; or choose by predicted")
        if select is Select.GATED and foreseer is not None and not foreseer.is_calibrated:
            raise UsageError(
                f"{foreseer.name} does not know how sure it is, so no run can be skipped for it; "
                f"calibrate it: foretrace calibrate {foreseer.name}, or choose by verified"
            )

    def solve(self, task: SolveTask, told: Callable[[str], None] = lambda _: None) -> Receipt:
        """Solves a task; `told` hears of progress.

        Raises:
            UsageError: the writer cannot be asked this.
            EndpointError: a server gives no answer.
            SandboxError: the sandbox failed.

        """
        return _Solving(self, task, told).run()


class _Solving:
    """One task at work."""

    def __init__(self, solver: Solver, task: SolveTask, told: Callable[[str], None]) -> None:
        self.solver, self.plan, self.task, self.told = solver, solver.plan, task, told
        self.meter = Meter(solver.plan.budget)
        self.checks = list(task.checks)
        self.candidates: list[Candidate] = []
        self.unusable = 0
        self.notes: list[str] = []
        if not task.checks:
            self.notes.append("the statement has no example: nothing tells whether a program does what it asks for")

    def run(self) -> Receipt:
        """All turns."""
        self.told("writing")
        count = 1 if self.plan.select is Select.GREEDY else self.plan.candidates
        self._add(self.solver.writer.propose(self.task, count, self.meter), turn=0)
        if self.candidates and self.plan.select not in (Select.GREEDY, Select.MAJORITY):
            self._devise()
        self._check()
        turn = 0
        while (failed := self._to_repair()) is not None and turn < self.plan.repairs and self._may_go_on():
            turn += 1
            self.told(f"repairing, turn {turn}")
            self._repair(failed, turn)
            self._check()
        self._confirm()
        return self._receipt()

    def _may_go_on(self) -> bool:
        return self.meter.may_go_on() and not self.meter.stopped

    # -- programs -------------------------------------------------------------------------------------

    def _add(self, sources: Sequence[str | None], *, turn: int, repairs: int | None = None) -> None:
        known = {normal(each.source): each for each in self.candidates}
        for source in sources:
            if source is None:
                self.unusable += 1
            elif (found := known.get(normal(source))) is not None:
                found.votes += 1
            else:
                candidate = Candidate(source=source, turn=turn, repairs=repairs)
                known[normal(source)] = candidate
                self.candidates.append(candidate)

    def _devise(self) -> None:
        """More checks: the model's own, and arguments that nobody gave."""
        self.checks += self.solver.writer.devise(self.task, self.plan.own_tests, self.meter)
        first = self.candidates[0].source
        known = {check.text for check in self.checks}
        made = devise(first, self.task, count=self.plan.generated, seed=self.plan.seed)
        self.checks += [check for check in made if check.text not in known]

    def _to_repair(self) -> int | None:
        """The best candidate, if something that it must do it does not; None also if there is nothing to tell of it."""
        if not self.candidates or self.plan.select in (Select.GREEDY, Select.MAJORITY):
            return None
        number = best(self.candidates, self.checks, self.plan.select)
        return number if self._failures(number) else None

    def _failures(self, number: int) -> list[str]:
        pairs = self.candidates[number].known(self.checks, Origin.STATEMENT)
        return [failure_of(check, cell) for check, cell in pairs if cell.passed is False]

    def _repair(self, number: int, turn: int) -> None:
        source, failed = self.candidates[number].source, self._failures(number)[:_TOLD]
        made = self.solver.writer.repair(self.task, source, failed, self.plan.candidates, self.meter, turn)
        self._add(made, turn=turn, repairs=number)

    # -- checks ---------------------------------------------------------------------------------------

    def _check(self) -> None:
        """Foresees and runs what is not known yet of each candidate."""
        for number, candidate in enumerate(self.candidates):
            if candidate.cells:
                continue
            self.told(f"checking candidate {number + 1} of {len(self.candidates)}")
            foreseen = [self._foresee(candidate.source, check) for check in self.checks]
            candidate.cells = [Cell(foreseen=told) for told in foreseen]
            if self.plan.select.runs:
                self._run(candidate)

    def _foresee(self, source: str, check: Check) -> Foreseen | None:
        foreseer = self.solver.foreseer
        if foreseer is None or self.plan.select in (Select.GREEDY, Select.MAJORITY):
            return None
        return foreseer.look(source, check, self.task.entry, self.meter)

    def _run(self, candidate: Candidate) -> None:
        """Runs the checks of a candidate, those left out whose end is sure enough; the statement's first."""
        assert self.solver.runner is not None
        gate = self.plan.gate if self.plan.select is Select.GATED else None
        wanted = [n for n, cell in enumerate(candidate.cells) if gate is None or not gate.skips(cell.foreseen)]
        if not wanted or not self.meter.may_go_on():
            return
        granted = wanted[: self.meter.take_runs(len(wanted))]
        seconds = self.meter.seconds_left(_SECONDS)
        ran = self.solver.runner.run(candidate.source, [self.checks[n] for n in granted], seconds) if granted else []
        for n, result in zip(granted, ran, strict=True):
            candidate.cells[n] = Cell(foreseen=candidate.cells[n].foreseen, ran=result)

    def _confirm(self) -> None:
        """Runs what the best one passes once more, in a process of its own: who passes now and then has not solved it."""
        confirmed: set[int] = set()
        while self.plan.select.runs and self.candidates and self._may_go_on():
            number = best(self.candidates, self.checks, self.plan.select)
            cells = self.candidates[number].cells
            passed = [n for n, cell in enumerate(cells) if cell.ran is not None and cell.ran.passed]
            if number in confirmed or not passed or self.meter.take_runs(len(passed)) < len(passed):
                return
            confirmed.add(number)
            assert self.solver.runner is not None
            again = self.solver.runner.run(self.candidates[number].source, [self.checks[n] for n in passed])
            for n, ran in zip(passed, again, strict=True):
                if not ran.passed:
                    flaky = Ran(
                        passed=False, value=ran.value, error=f"it passed, and then did not: {ran.error or ran.value}"
                    )
                    cells[n] = Cell(foreseen=cells[n].foreseen, ran=flaky)

    # -- the end --------------------------------------------------------------------------------------

    def _receipt(self) -> Receipt:
        chosen = best(self.candidates, self.checks, self.plan.select) if self.candidates else None
        foreseer, runner = self.solver.foreseer, self.solver.runner
        is_asked = foreseer is not None and self.plan.select not in (Select.GREEDY, Select.MAJORITY)
        return Receipt(
            statement=self.task.statement,
            entry=self.task.entry,
            select=self.plan.select,
            writer=self.solver.writer.subject.name,
            predictor=foreseer.name if foreseer is not None and is_asked else "",
            is_calibrated=foreseer is not None and foreseer.is_calibrated,
            isolation=runner.setting.isolation if runner is not None and self.plan.select.runs else "",
            checks=tuple(self.checks),
            candidates=tuple(self.candidates),
            chosen=chosen,
            spent=self.meter.to_json(),
            unusable=self.unusable,
            notes=tuple(self.notes),
            traces=self._traces(),
        )

    def _traces(self) -> dict[str, str]:
        foreseer, found = self.solver.foreseer, dict[str, str]()
        if foreseer is None:
            return found
        for number, candidate in enumerate(self.candidates):
            for at, (check, cell) in enumerate(zip(self.checks, candidate.cells, strict=True)):
                trace = foreseer.trace(candidate.source, check, self.task.entry) if cell.foreseen is not None else None
                if trace is not None:
                    text = io.StringIO()
                    write_jsonl(trace, text)
                    found[f"{number}.{at}"] = text.getvalue()
        return found
