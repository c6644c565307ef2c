"""Benchmarks and their scorers.

Names are imported when they are first used: what only compares two texts needs no synthesiser and no sandbox.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foretrace.evals.cruxeval import load_cruxeval
    from foretrace.evals.fidelity import Case, CaseResult, Report, evaluate
    from foretrace.evals.literal import same_literal
    from foretrace.evals.statistics import Mean, Share
    from foretrace.evals.traces import held_out_cases

__all__ = ["Case", "CaseResult", "Mean", "Report", "Share", "evaluate", "held_out_cases", "load_cruxeval", "same_literal"]

_HOMES = {
    "load_cruxeval": "cruxeval",
    "same_literal": "literal",
    "held_out_cases": "traces",
    **dict.fromkeys(("Mean", "Share"), "statistics"),
}


def __getattr__(name: str) -> Any:
    if name in __all__:
        found = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'fidelity')}"), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
