"""What is expected is not in the question: of every benchmark, in every style, whatever it is."""

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from foretrace.errors import UsageError
from foretrace.evals.benchmarks import benchmarks, find_benchmark
from foretrace.evals.benchmarks.fidelity import FIDELITY
from foretrace.evals.types import Item, Options, Question
from foretrace.forager.tasks.instance import Instance

CALL = {"source", "entry", "arguments"}
CODE = {"prompt", "entry"}
MATHS = {"problem"}
CONTEST = {"question", "starter", "function"}
ISSUE = {"repo", "base_commit", "problem_statement"}
SHOWN: dict[str, set[str]] = {
    "cruxeval-o": {"code", "input"},
    "cruxeval-i": {"code", "output"},
    "fresh": {"code", "input"},
    "fresh-i": {"code", "output"},
    "probes": CALL | {"probe", "history"},
    "halting": CALL,
    "humaneval": CODE,
    "humaneval-plus": CODE,
    "mbpp": {"text", "prompt", "tests"},  # as published: a prompt shows all tests, and none of the code
    "mbpp-plus": CODE,
    "leetcode": {"prompt", "chat"},
    "livecodebench": CONTEST,
    "livecodebench-public": CONTEST,
    "livecodebench-execution": {"code", "input", "function_name"},
    "livecodebench-output": {"question", "starter", "call"},
    "livecodebench-output-public": {"question", "starter", "call"},
    "puzzles": {"prompt"},
    "math500": MATHS,
    "aime24": MATHS,
    "aime25": MATHS,
    "swebench-verified": ISSUE,
    "swebench-verified-localisation": ISSUE,
}
"""Keys of rows that questions may be made of; every other one is a secret."""
ELSEWHERE = {"fidelity", "fidelity-history", "forager"}
"""Whose rows have one key, of which a part is shown."""
WRITTEN = {name for name, keys in SHOWN.items() if keys in (CODE, CONTEST, ISSUE)} | {"mbpp", "leetcode", "puzzles"}
"""Whose answers are code, which no question holds by chance, as it may hold a value."""
LONG = 24
"""Characters of such an answer."""


def items_of(name: str) -> list[Item]:
    """Some of a benchmark's items, spread over all."""
    benchmark = find_benchmark(name)
    is_made = "count" in benchmark.chosen_by
    if not is_made and not os.environ.get("FORETRACE_EVALDATA"):
        pytest.skip("FORETRACE_EVALDATA names no folder")
    try:
        items = benchmark.load(Options(count=25 if is_made else None))
    except UsageError as error:
        pytest.skip(str(error))
    return items[:: max(1, len(items) // 25)]


def otherwise(value: Any) -> Any:
    """Another value of the same type, where there is one."""
    if isinstance(value, bool):
        return not value
    return {str: "another", list: [], dict: {}, int: 77, float: 7.7}.get(type(value))


def shown(question: Question) -> Iterator[str]:
    yield from (question.text, question.chat, question.history, *(question.call or ()))


def test_of_every_benchmark_it_is_known_what_is_shown() -> None:
    assert SHOWN.keys() | ELSEWHERE == benchmarks().keys()


@pytest.mark.parametrize("name", SHOWN)
def test_a_question_is_the_same_whatever_is_expected(name: str) -> None:
    styles = find_benchmark(name).styles
    for item in items_of(name):
        secrets = {key: otherwise(value) for key, value in item.row.items() if key not in SHOWN[name]}
        assert secrets
        other = replace(item, row={**item.row, **secrets}, controls={}, tags={}, group="")
        for style in styles.values():
            asked = style.ask(item)
            assert asked == style.ask(other)
            gold = item.controls.get("gold", "").strip()
            if name in WRITTEN and len(gold) >= LONG:
                assert not any(gold in text for text in shown(asked)), item.id


def test_of_an_execution_only_its_first_frame_is_shown() -> None:
    items = FIDELITY.load(Options(count=10))
    for item in items:
        for style in FIDELITY.styles.values():
            question = style.ask(item)
            assert question.history.count("<|frame_sep|>") == 2  # before the first frame, and after it
            assert item.controls["gold"].startswith(question.history)


def test_of_a_forager_task_only_its_issue_is_shown() -> None:
    fields = {name: f"secret {name}" for name in islice(Instance.__dataclass_fields__, 100)}
    known = {"repo": "a/b", "base_commit": "c0ffee", "problem_statement": "It fails."}
    item = Item(id="x", row={"instance": fields | known}, places={"image": "secret image"})
    for style in find_benchmark("forager").styles.values():
        assert not any("secret" in text for text in shown(style.ask(item)))
