"""The solver: it writes programs, predicts their tests, runs them, repairs, chooses, and gives a receipt.

    from foretrace.solve import Plan, Select
    receipt = foretrace.solve(Path("task.md"), model="http://localhost:8000/v1,model=NAME", plan=Plan(select=Select.GATED))

`foretrace.solve` is this package and the verb, as `foretrace.record` is. Names are imported when they are first used.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foretrace.solve.budget import Budget
    from foretrace.solve.choice import Select
    from foretrace.solve.foresee import Foreseer
    from foretrace.solve.gate import Gate
    from foretrace.solve.receipt import Receipt, Verdict, receipt_text
    from foretrace.solve.running import Runner
    from foretrace.solve.solver import Plan, Solver
    from foretrace.solve.statement import SolveTask, read_task
    from foretrace.solve.verb import solve
    from foretrace.solve.writer import Drawing, Wording, Writer

_HOMES = {
    "Budget": "budget",
    "Select": "choice",
    "Foreseer": "foresee",
    "Gate": "gate",
    **dict.fromkeys(("Receipt", "Verdict", "receipt_text"), "receipt"),
    "Runner": "running",
    **dict.fromkeys(("Plan", "Solver"), "solver"),
    **dict.fromkeys(("SolveTask", "read_task"), "statement"),
    "solve": "verb",
    **dict.fromkeys(("Drawing", "Wording", "Writer"), "writer"),
}

__all__ = [
    "Budget",
    "Drawing",
    "Foreseer",
    "Gate",
    "Plan",
    "Receipt",
    "Runner",
    "Select",
    "SolveTask",
    "Solver",
    "Verdict",
    "Wording",
    "Writer",
    "read_task",
    "receipt_text",
    "solve",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        found = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


class _Verb(ModuleType):
    """Importing the package hides the function of that name; so the package can be called, too."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from foretrace.solve.verb import solve

        return solve(*args, **kwargs)


sys.modules[__name__].__class__ = _Verb
