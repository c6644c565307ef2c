"""EvalPlus's samples: a line an answer, with the whole program as `solution` (arXiv:2305.01210); human-eval's, to read.

    evalplus.evaluate --dataset humaneval --samples samples.jsonl

An answer that goes on where the prompt ends is joined to it, as it was for the scorer; for that the data has to be there.
"""

import json
from collections import defaultdict
from typing import Any

from foretrace.errors import UsageError
from foretrace.evals.benchmarks.coding import program_of
from foretrace.evals.exports.answers import Answers, insist_on_all, items_of
from foretrace.evals.exports.content import rows_with
from foretrace.evals.folder import Part
from foretrace.evals.types import Item

BENCHMARKS = ("humaneval", "humaneval-plus", "mbpp-plus")


def write(part: Part, answers: Answers, model: str) -> str:
    """The file. Raises UsageError if an item has no answer, or the data is missing."""
    insist_on_all(part, answers, "EvalPlus")
    return "".join(
        json.dumps({"task_id": item.id, "solution": solution_of(item, answer)}) + "\n"
        for item in items_of(part)
        for answer in answers[item.id]
    )


def solution_of(item: Item, answer: str) -> str:
    """The whole program that an answer makes; of none nothing."""
    return program_of(item.row["prompt"], answer, item.row["entry"]) if answer else ""


def read(content: Any) -> Answers | None:
    """Answers in it, or None if it is none: of each row `solution`, else `completion`."""
    rows = rows_with(content, "task_id")
    if rows is None:
        return None
    found: Answers = defaultdict(list)
    for row in rows:
        text = row.get("solution", row.get("completion"))
        if not isinstance(text, str):
            raise UsageError(f"{str(row['task_id'])[:100]} has neither a solution nor a completion")
        found[str(row["task_id"])].append(text)
    return dict(found)
