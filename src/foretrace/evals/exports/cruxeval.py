"""CRUXEval's generations: of each item, by name, a list of texts that are pasted into an assertion.

    cd cruxeval/evaluation; python evaluate_generations.py --generations_path output.json      # `input` in the name: inputs

The tool (facebookresearch/cruxeval, `evaluation/`) takes the kind of task from the path, wants all 800 items, and runs the
texts: not to be done with answers of a model that nobody trusts.
"""

import json
from typing import Any

from foretrace.evals.exports.answers import Answers, insist_on_all
from foretrace.evals.exports.content import texts_in
from foretrace.evals.folder import Part

BENCHMARKS = ("cruxeval-o", "cruxeval-i")
_PREFIX = "sample_"


def write(part: Part, answers: Answers, model: str) -> str:
    """The file. Raises UsageError if an item has no answer."""
    insist_on_all(part, answers, "CRUXEval's evaluation")
    return json.dumps(answers, indent=1) + "\n"


def read(content: Any) -> Answers | None:
    """Answers in it, or None if it is none. A file of the scores of such has them, too, under `raw_generations`."""
    if isinstance(content, dict) and isinstance(content.get("raw_generations"), dict):
        content = content["raw_generations"]
    if not isinstance(content, dict) or not content or not all(str(key).startswith(_PREFIX) for key in content):
        return None
    return {item: [text.strip() for text in texts_in(texts, item)] for item, texts in content.items()}
