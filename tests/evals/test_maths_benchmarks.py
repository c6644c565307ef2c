"""MATH-500 and AIME: their data where it is there, their prompts and controls everywhere."""

import os
from pathlib import Path

import pytest

from foretrace.errors import UsageError
from foretrace.evals.benchmarks import find_benchmark
from foretrace.evals.benchmarks.math500 import maths_styles, wrong_answer
from foretrace.evals.types import Item, Options, Sampling, Setting
from foretrace.sandbox import backends

pytest.importorskip("math_verify")
NAMES = ("math500", "aime24", "aime25")
DATA = os.environ.get("FORETRACE_EVALDATA", "")
needs_data = pytest.mark.skipif(not DATA, reason="FORETRACE_EVALDATA names no folder")
needs_bubblewrap = pytest.mark.skipif(bool(backends()["bubblewrap"]), reason=backends()["bubblewrap"])
PROBLEM = r"How many subsets has $\{1, 2\}$?"


@pytest.mark.parametrize("name", ["cot", "direct"])
def test_a_question_holds_the_problem_and_not_the_answer(name: str) -> None:
    style = maths_styles(Sampling(), Sampling())[name]
    question = style.ask(Item(id="x", row={"problem": PROBLEM, "answer": "4077"}))
    assert PROBLEM in question.chat
    assert question.text.endswith(f"Problem:\n{PROBLEM}\n\nSolution:\n")
    assert "boxed{}" in question.chat
    assert "4077" not in question.chat + question.text
    assert "\\boxed{16}" in question.text


@pytest.mark.parametrize("answer", ["9", "099", r"\frac{1}{2}", r"\text{east}", "(-2,1)", r"\pi"])
def test_a_wrong_answer_is_another_one(answer: str) -> None:
    assert wrong_answer(answer) != answer


@pytest.mark.parametrize("name", NAMES)
def test_data_that_is_not_there_is_told_where_to_get(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORETRACE_EVALDATA", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="fetch it from"):
        find_benchmark(name).load(Options())


@needs_data
@needs_bubblewrap
@pytest.mark.parametrize("name", NAMES)
def test_gold_passes_and_wrong_fails(name: str) -> None:
    benchmark = find_benchmark(name)
    items = benchmark.load(Options())
    with benchmark.scorer(Setting()) as score:
        for item in items:
            for style in benchmark.styles.values():
                read = {control: style.read(style.write(answer)) for control, answer in item.controls.items()}
                assert read == item.controls
            gold = score(item, item.controls["gold"])
            assert gold.strict
            assert gold.official
        for item in items[:: max(1, len(items) // 40)]:
            wrong = score(item, item.controls["wrong"])
            assert not wrong.official
            assert not wrong.strict
