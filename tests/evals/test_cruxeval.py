"""CRUXEval: rows become items, controls get what they must, and an input is run only as far as it is literal."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from foretrace.errors import UsageError
from foretrace.evals import load_cruxeval, same_literal
from foretrace.evals.benchmarks import find_benchmark
from foretrace.evals.benchmarks.cruxeval import (
    INPUT_STYLES,
    OUTPUT_STYLES,
    input_items,
    input_scorer,
    output_items,
    output_scorer,
)
from foretrace.evals.types import Benchmark, Item, Options, Reason, Score, Setting
from foretrace.sandbox import backends

USABLE = [name for name, obstacle in backends().items() if not obstacle]
ROWS = [
    {"id": "a", "code": "def f(s, n):\n    return s[::-1] * n", "input": "'abc', 2", "output": "'cbacba'"},
    {"id": "b", "code": "def f():\n    return {}", "input": "", "output": "{}"},
    {"id": "c", "code": "def f(xs):\n    return [x for x in xs]", "input": "xs=range(3)", "output": "[0, 1, 2]"},
    {"id": "d", "code": "def f(x):\n    while x: pass\n    return x", "input": "0", "output": "0"},
]
DATA = os.environ.get("FORETRACE_EVALDATA", "")
needs_data = pytest.mark.skipif(not list(Path(DATA or "/nowhere").rglob("cruxeval.jsonl")), reason="set FORETRACE_EVALDATA")


@pytest.fixture(scope="module")
def score_input() -> Iterator[Score]:
    with input_scorer(Setting(isolation=USABLE[-1])) as score:
        yield score


def test_items_have_controls() -> None:
    items = output_items(ROWS)
    assert [item.controls.get("copy") for item in items] == ["'abc'", None, "range(3)", "0"]
    with output_scorer(Setting()) as score:
        for item in items:
            assert score(item, item.controls["gold"]).strict
            assert not score(item, item.controls["wrong"]).official
    assert items[0].tags == {"value type": "str"}


def test_controls_of_inputs(score_input: Score) -> None:
    for item in input_items(ROWS):
        assert score_input(item, item.controls["gold"]).strict
        assert not score_input(item, item.controls["wrong"]).official


@pytest.mark.parametrize(("answer", "strict", "official", "reason"), [
    ("f('abcabc', 1)", True, True, Reason.RIGHT),
    ("f(n=1, s='abcabc')", True, True, Reason.RIGHT),
    ("f('abc' * 2, 1)", False, True, Reason.UNPARSABLE),
    ("f('abc', 1)", False, False, Reason.WRONG),
    ("f(list('abcabc'), 1)", False, False, Reason.UNPARSABLE),
    ("f(*('abc', 2))", False, False, Reason.UNPARSABLE),
    ("f('a', 10**10)", False, False, Reason.KILLED),
    ("f('a', [])", False, False, Reason.ERROR),
    ("f(s='a', s='b')", False, False, Reason.ERROR),
    ("'cbacba'", False, False, Reason.UNPARSABLE),
    (None, False, False, Reason.UNPARSABLE),
])  # fmt: skip
def test_only_the_trusted_function_runs(
    score_input: Score, answer: str | None, strict: bool, official: bool, reason: Reason
) -> None:
    verdict = score_input(input_items(ROWS)[0], answer)
    assert (verdict.strict, verdict.official, verdict.reason) == (strict, official, reason)


def test_a_loop_without_end_is_ended(score_input: Score) -> None:
    assert score_input(input_items(ROWS)[3], "f(1)").reason is Reason.TIMEOUT


@pytest.mark.parametrize(("styles", "items"), [(OUTPUT_STYLES, output_items(ROWS)), (INPUT_STYLES, input_items(ROWS))])
def test_questions_tell_nothing_that_is_asked_for(styles: dict[str, object], items: list[Item]) -> None:
    for style in styles.values():
        for item in items[:1]:
            question = style.ask(item)  # type: ignore[attr-defined]
            secret = item.row["output"] if styles is OUTPUT_STYLES else item.row["input"]
            assert secret not in question.text
            assert question.text or question.call
            for answer in item.controls.values():
                assert style.read(style.write(answer)) == answer  # type: ignore[attr-defined]


def test_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORETRACE_EVALDATA", str(tmp_path))
    with pytest.raises(UsageError, match="no cruxeval"):
        find_benchmark("cruxeval-o").load(Options())
    (tmp_path / "cruxeval.jsonl").write_text("{}\n")
    with pytest.raises(UsageError, match="that results are published for"):
        find_benchmark("cruxeval-o").load(Options())


@needs_data
@pytest.mark.parametrize("name", ["cruxeval-o", "cruxeval-i"])
def test_gold_is_right_and_wrong_is_not(name: str) -> None:
    benchmark: Benchmark = find_benchmark(name)
    items = benchmark.load(Options())
    assert len(items) == 800
    chosen = items if name == "cruxeval-o" else items[::20]
    with benchmark.scorer(Setting()) as score:
        assert all(score(item, item.controls["gold"]).strict for item in chosen)
        assert not any(score(item, item.controls["wrong"]).official for item in chosen)
        if name == "cruxeval-o":  # floors that a model must beat
            assert sum(score(item, item.controls.get("copy")).strict for item in items) == 139
            assert sum(score(item, item.controls["constant"]).strict for item in items) == 29


def test_recorded_cases_want_the_official_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no cruxeval\.jsonl at"):
        load_cruxeval(tmp_path / "none.jsonl")
    (tmp_path / "x.jsonl").write_text("{}\n")
    with pytest.raises(UsageError, match="that results are published for"):
        load_cruxeval(tmp_path / "x.jsonl")


@needs_data
def test_recorded_cases_return_what_the_rows_say() -> None:
    cases = load_cruxeval(next(Path(DATA).rglob("cruxeval.jsonl")), limit=5)
    assert all(same_literal(str(case.real.result), case.expected) for case in cases)
