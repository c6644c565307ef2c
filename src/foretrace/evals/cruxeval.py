"""CRUXEval output prediction by full trace (Gu et al., arXiv:2401.03065; data MIT).

The data is not in the package: give the path of the official `cruxeval.jsonl`.

    report = evaluate(engine, load_cruxeval(path), title="CRUXEval-O, full trace")
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from foretrace.engine import bind_call
from foretrace.errors import UsageError
from foretrace.evals.fidelity import Case
from foretrace.record import record_source, recording_sandbox

OFFICIAL_SHA256 = "8368b81047dc5014e4caf5a2f97604eff7644e0ecd7415e3ceeb184bbc2e0c96"
ROWS = 800


def read_cruxeval(file: Path) -> list[dict[str, str]]:
    """The 800 rows: code, input, output, id.

    Raises:
        UsageError: the file is missing or is not the official one.

    """
    if not file.is_file():
        raise UsageError(f"no CRUXEval data at {file}; fetch cruxeval.jsonl (facebookresearch/cruxeval) and give --data")
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != OFFICIAL_SHA256:
        raise UsageError(f"{file} is not the official cruxeval.jsonl: sha256 {digest[:12]}, wanted {OFFICIAL_SHA256[:12]}")
    rows = [json.loads(line) for line in content.decode().splitlines()]
    assert len(rows) == ROWS
    return rows


def load_cruxeval(file: Path, limit: int | None = None, progress: Callable[[int, int], None] | None = None) -> list[Case]:
    """Rows with their real traces, each recorded in a limited child process, as the call that is predicted."""
    rows = read_cruxeval(file)[:limit]
    cases = []
    with recording_sandbox() as box:
        for row in rows:
            call = bind_call(row["code"], "f", row["input"])
            real = record_source(call.source, call.entry, call.arguments, sandbox=box)
            cases.append(Case(row["id"], row["code"], "f", row["input"], real, row["output"]))
            if progress:
                progress(len(cases), len(rows))
    return cases
