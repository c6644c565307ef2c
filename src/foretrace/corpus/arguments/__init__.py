"""Arguments for functions that come without them: inferred from the source, tried, and improved: `docs/arguments.md`."""

from foretrace.corpus.arguments.explore import Budget, Call, Exploration, explore
from foretrace.corpus.arguments.report import Report

__all__ = ["Budget", "Call", "Exploration", "Report", "explore"]
