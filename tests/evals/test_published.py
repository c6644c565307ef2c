"""Published numbers: every one has a source, a size or none, and a place between 0 and 100."""

import pytest

from foretrace.evals.benchmarks import benchmarks
from foretrace.evals.published import published

WITH_NUMBERS = (
    "cruxeval-i",
    "cruxeval-o",
    "humaneval",
    "humaneval-plus",
    "mbpp",
    "mbpp-plus",
    "livecodebench",
    "livecodebench-execution",
    "livecodebench-output",
    "math500",
    "aime24",
    "aime25",
    "swebench-verified",
)


@pytest.mark.parametrize("benchmark", WITH_NUMBERS)
def test_every_number_has_a_source(benchmark: str) -> None:
    assert benchmark in benchmarks()
    found = published(benchmark)
    assert found.rows
    assert set(found.sources) == {row.source for row in found.rows}
    for row in found.rows:
        assert 0 < row.score < 1
        assert row.interval[0] <= row.score <= row.interval[1]
        assert row.parameters is None or 1e8 < row.parameters < 2e12
        assert "arXiv" in row.source.where or "https" in row.source.where
    names = [(row.model, row.style, row.source, row.note) for row in found.rows]
    assert len(set(names)) == len(names)


def test_numbers_are_those_of_the_authors() -> None:
    rows = {(row.model, row.style): row for row in published("cruxeval-o").rows if row.source.title.startswith("CRUXEval")}
    assert rows["phi-1", "direct"].score == pytest.approx(0.217)
    assert rows["CodeLlama-7B", "cot"].score == pytest.approx(0.299)
    assert rows["GPT-4-0613", "direct"].parameters is None
    floors = {floor.name: floor.score for floor in published("cruxeval-o").floors}
    assert floors == {"copy the first argument": 139 / 800, "always False": 29 / 800}


def test_models_that_learnt_from_executions_are_marked() -> None:
    marked = {row.model for row in published("cruxeval-o").rows if row.is_execution_trained}
    assert {"CWM 32B", "SemCoder-6.7B", "Neural Debugger 32B"} <= marked
    assert not marked & {"phi-1", "GPT-4o", "CWM ablation 8B, no traces"}


def test_of_some_benchmarks_nothing_is_published() -> None:
    assert published("fresh").rows == ()
