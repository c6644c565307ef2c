"""Benchmarks, scorers that cannot be fooled, runs in folders, and what came of them.

    run = carry_out([Plan.of("fidelity")], find_subject("tiny"), Path("runs/evals/tiny"))
    print(summarise(run.part("fidelity")).text())

Names are imported when they are first used: what only compares two texts needs no synthesiser and no sandbox.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foretrace.evals.benchmarks import find_benchmark
    from foretrace.evals.cases import Case
    from foretrace.evals.comparison import compare
    from foretrace.evals.cruxeval import load_cruxeval
    from foretrace.evals.folder import Run
    from foretrace.evals.plan import Plan
    from foretrace.evals.run import carry_out
    from foretrace.evals.scorers.literal import same_literal
    from foretrace.evals.statistics import Mean, Share
    from foretrace.evals.subjects import find_subject
    from foretrace.evals.summary import summarise
    from foretrace.evals.traces import held_out_cases

__all__ = [
    "Case",
    "Mean",
    "Plan",
    "Run",
    "Share",
    "carry_out",
    "compare",
    "find_benchmark",
    "find_subject",
    "held_out_cases",
    "load_cruxeval",
    "same_literal",
    "summarise",
]

_HOMES = {
    "Plan": "plan",
    "Run": "folder",
    "carry_out": "run",
    "compare": "comparison",
    "find_benchmark": "benchmarks",
    "find_subject": "subjects",
    "summarise": "summary",
    "load_cruxeval": "cruxeval",
    "same_literal": "scorers.literal",
    "Case": "cases",
    "held_out_cases": "traces",
    **dict.fromkeys(("Mean", "Share"), "statistics"),
}


def __getattr__(name: str) -> Any:
    if name in __all__:
        found = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
