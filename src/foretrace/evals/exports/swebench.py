"""SWE-bench's predictions: a line an instance, with its patch (arXiv:2310.06770).

python -m swebench.harness.run_evaluation --dataset_name SWE-bench/SWE-bench_Verified --predictions_path predictions.jsonl …
"""

import json
from collections import defaultdict
from typing import Any

from foretrace.errors import UsageError
from foretrace.evals.exports.answers import Answers
from foretrace.evals.exports.content import rows_with
from foretrace.evals.folder import Part

BENCHMARKS = ("swebench-verified", "swebench-verified-localisation")


def write(part: Part, answers: Answers, model: str) -> str:
    """The file. The harness takes one patch an instance: raises UsageError if there are more."""
    several = next((item for item, texts in answers.items() if len(texts) > 1), None)
    if several:
        raise UsageError(f"{several} has several answers, and SWE-bench's harness takes one; measure with --samples 1")
    return "".join(
        json.dumps({"instance_id": item, "model_name_or_path": model, "model_patch": text}) + "\n"
        for item, [text] in answers.items()
    )


def read(content: Any) -> Answers | None:
    """Patches in it, or None if it is none."""
    rows = rows_with(content, "instance_id", "model_patch")
    if rows is None:
        return None
    found: Answers = defaultdict(list)
    for row in rows:
        patch = row["model_patch"]
        if patch is not None and not isinstance(patch, str):
            raise UsageError(f"the patch of {str(row['instance_id'])[:100]} is no text")
        found[str(row["instance_id"])].append(patch or "")
    return dict(found)
