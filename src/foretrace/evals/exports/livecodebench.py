"""LiveCodeBench's custom outputs: a list of objects with the ids of a problem and its answers (arXiv:2403.07974).

    python -m lcb_runner.runner.custom_evaluator --custom_output_file codes.json --scenario codegeneration

The evaluator (`lcb_runner/runner/custom_evaluator.py`, commit 28fef95) wants all problems of a release and window. Of code
execution it reads lists alone, in the order of the ids, as it fails on objects (`x.id` of a dict): such a file has no ids
and is not read here.
"""

import json
from typing import Any

from foretrace.errors import UsageError
from foretrace.evals.exports.answers import Answers, insist_on_all
from foretrace.evals.exports.content import rows_with, texts_in
from foretrace.evals.folder import Part
from foretrace.evals.scorers.literal import read_output

CODE, EXECUTION, OUTPUT = "livecodebench", "livecodebench-execution", "livecodebench-output"
BENCHMARKS = (CODE, EXECUTION, OUTPUT)


def write(part: Part, answers: Answers, model: str) -> str:
    """The file. Raises UsageError if an item has no answer."""
    insist_on_all(part, answers, "LiveCodeBench's evaluator")
    benchmark = part.manifest["benchmark"]
    content: list[Any]
    if benchmark == EXECUTION:
        content = [answers[item] for item in sorted(answers, key=_number)]
    elif benchmark == OUTPUT:
        content = [_tested(item, texts) for item, texts in answers.items()]
    else:
        content = [{"question_id": item, "code_list": texts} for item, texts in answers.items()]
    return json.dumps(content, indent=1) + "\n"


def _number(item: str) -> int:
    """Of `sample_12`."""
    return int(item.rpartition("_")[2])


def _tested(item: str, texts: list[str]) -> dict[str, Any]:
    """Answers to one test: the evaluator reads the right sides of assertions."""
    question, _, test = item.rpartition("_")
    assertions = [f"assert answer == {text}" if text else "" for text in texts]
    return {"question_id": question, "test_id": int(test), "pred_list": assertions}


def read(content: Any) -> Answers | None:
    """Answers in it, or None if it is none.

    Raises:
        UsageError: it is a list of lists, which does not say whose they are.

    """
    if isinstance(content, list) and content and all(isinstance(each, list) for each in content):
        raise UsageError("a list of lists, as LiveCodeBench's evaluator takes too, does not say whose answers they are")
    if rows := rows_with(content, "question_id", "code_list"):
        return {str(row["question_id"]): texts_in(row["code_list"], str(row["question_id"])) for row in rows}
    if rows := rows_with(content, "question_id", "test_id", "pred_list"):
        return {f"{row['question_id']}_{row['test_id']}": _values(row["pred_list"]) for row in rows}
    if rows := rows_with(content, "id", "pred_list"):
        return {str(row["id"]): _values(row["pred_list"]) for row in rows}
    return None


def _values(predictions: Any) -> list[str]:
    """Values, of assertions their right sides."""
    return [read_output(text) or "" for text in texts_in(predictions, "pred_list")]
