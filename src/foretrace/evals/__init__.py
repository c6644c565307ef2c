"""Benchmarks and their scorers."""

from foretrace.evals.cruxeval import load_cruxeval
from foretrace.evals.fidelity import Case, CaseResult, Report, evaluate
from foretrace.evals.literal import same_literal
from foretrace.evals.statistics import Mean, Share
from foretrace.evals.traces import held_out_cases

__all__ = ["Case", "CaseResult", "Mean", "Report", "Share", "evaluate", "held_out_cases", "load_cruxeval", "same_literal"]
