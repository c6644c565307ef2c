"""`foretrace.solve(task, model=…)`: the solver as one call.

receipt = foretrace.solve(Path("task.md"), model="http://localhost:8000/v1,model=NAME")
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from foretrace.errors import UsageError
from foretrace.evals.types import Setting
from foretrace.solve.choice import Select
from foretrace.solve.foresee import Foreseer
from foretrace.solve.receipt import Receipt
from foretrace.solve.running import Runner
from foretrace.solve.solver import Plan, Solver
from foretrace.solve.statement import read_task
from foretrace.solve.writer import Drawing, Wording, Writer


def solve(
    task: str | Path,
    *,
    model: str,
    predictor: str | None = "tiny",
    entry: str | None = None,
    plan: Plan | None = None,
    drawing: Drawing | None = None,
    wording: Wording | None = None,
    setting: Setting | None = None,
    told: Callable[[str], None] = lambda text: None,
) -> Receipt:
    """Solves one task.

    Args:
        task: the statement, or the path of a file that holds it.
        model: who writes: `http://HOST:PORT/v1,model=NAME`, or a folder of a model that was taught to.
        predictor: the world model; None: nothing is predicted.
        entry: name of the function, where the statement does not make it plain.
        plan: how much is tried, and how is chosen.
        drawing: how answers are drawn.
        wording: whether the model is shown the statement, or its examples alone.
        setting: of the sandbox.
        told: hears of progress.

    Raises:
        UsageError: there is no such file or model, or the task cannot be understood.
        RefusedError: programs would have to run, and this isolation cannot be had here.
        EndpointError, SandboxError: a server or the sandbox failed.

    """
    plan = plan or Plan()
    read = read_task(_text(task), entry)
    writer = Writer.of(model, wording, drawing)
    needs_none = predictor is None or plan.select in (Select.GREEDY, Select.MAJORITY)
    foreseer = None if needs_none or predictor is None else Foreseer.of(predictor)
    with ExitStack() as stack:
        runner = stack.enter_context(Runner(setting)) if plan.select.runs else None
        return Solver(writer, foreseer=foreseer, runner=runner, plan=plan).solve(read, told)


def _text(task: str | Path) -> str:
    if isinstance(task, str):
        return task
    try:
        return task.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise UsageError(f"cannot read the task {task}: {error}") from error
