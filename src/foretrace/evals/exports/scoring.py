"""How tasks of other harnesses score: as a run of ours does, with the same reader, scorer and walls.

doc = read_documents(Path("foretrace_fresh_direct.lm-eval.jsonl"))[0]
score(doc, "[ANSWER]'bca'[/ANSWER]").strict
"""

import atexit
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from foretrace.evals.benchmarks import find_style
from foretrace.evals.folder import Sample
from foretrace.evals.judging import Judgement, judge_of
from foretrace.evals.subjects import Request
from foretrace.evals.types import Answer, Item, Question, Setting

_WORKERS = 2


def read_documents(file: Path) -> list[dict[str, str]]:
    """The rows of a task."""
    with open(file, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def score(document: Mapping[str, Any], text: str) -> Sample:
    """The sample that a model's text makes of a row. Threads may call it.

    Raises:
        RefusedError: code would have to be run, and there is no bubblewrap.

    """
    item = Item(id=document["id"], row=json.loads(document["row"]), places=json.loads(document.get("places", "{}")))
    request = Request(item=item, sample=0, question=Question())
    return _judge(document["benchmark"])(request, Answer(text=text))


@cache
def _judge(name: str) -> Judgement:
    """Open until the process ends."""
    benchmark, style = find_style(name)
    opened = judge_of(benchmark, style, Setting(), workers=_WORKERS)
    judge = opened.__enter__()
    atexit.register(opened.__exit__, None, None, None)
    return judge
