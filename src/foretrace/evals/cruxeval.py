"""CRUXEval with recorded traces, for what compares whole executions (Gu et al., arXiv:2401.03065; data MIT).

    cases = load_cruxeval(path)                  # of the official `cruxeval.jsonl`, which is not in the package

Scores are had from `foretrace.evals.benchmarks.cruxeval`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from foretrace.engine import bind_call
from foretrace.evals.benchmarks.cruxeval import ENTRY, OFFICIAL
from foretrace.evals.cases import Case
from foretrace.record import record_source, recording_sandbox


def read_cruxeval(file: Path) -> list[dict[str, Any]]:
    """The 800 rows: code, input, output, id.

    Raises:
        UsageError: the file is missing or is not the official one.

    """
    return OFFICIAL.read_file(file)


def load_cruxeval(file: Path, limit: int | None = None, progress: Callable[[int, int], None] | None = None) -> list[Case]:
    """Rows with their real traces, each recorded in a limited child process, as the call that is predicted."""
    rows = read_cruxeval(file)[:limit]
    cases = []
    with recording_sandbox() as box:
        for row in rows:
            call = bind_call(row["code"], ENTRY, row["input"])
            real = record_source(call.source, call.entry, call.arguments, sandbox=box)
            cases.append(Case(row["id"], row["code"], ENTRY, row["input"], real, row["output"]))
            if progress:
                progress(len(cases), len(rows))
    return cases
