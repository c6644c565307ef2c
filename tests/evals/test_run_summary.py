"""Summaries and comparisons: what is printed beside a score, and whether two models differ."""

from pathlib import Path
from typing import Any

import pytest
from toy_benchmark import Scripted, plan, right, sums

from foretrace.errors import UsageError
from foretrace.evals.comparison import compare
from foretrace.evals.folder import Part
from foretrace.evals.run import carry_out
from foretrace.evals.statistics import Share
from foretrace.evals.subjects.controls import Control
from foretrace.evals.summary import summarise
from foretrace.evals.types import Answer, Item


def part_of(folder: Path, say: Any, count: int = 40, **sampling: Any) -> Part:
    grouped = sums(count, group=lambda number: f"program-{number // 4}")
    run = carry_out([plan(grouped, **sampling)], Scripted(say), folder)
    return run.parts["sums.plain"]


def some(item: Item, sample: int) -> str | Answer:
    number = item.row["number"]
    if number < 4:
        return "I do not know"
    if number < 6:
        return Answer(text="= 1", is_truncated=True)
    if number == 6:
        return Answer(text="", error="the server is down")
    if number < 10:
        return f"= {item.row['answer']}.0"
    return right(item, sample)


def test_a_score_never_stands_alone(tmp_path: Path) -> None:
    summary = summarise(part_of(tmp_path / "run", some), model="scripted")
    strict, official = summary.passes["strict"][1], summary.passes["official"][1]
    assert (strict.value, official.value, strict.count) == (30 / 39, 33 / 39, 39)
    assert strict.low < strict.value < strict.high
    assert (summary.unparsable.hits, summary.truncated.hits, summary.broken.hits) == (4, 2, 1)
    assert summary.at_least == {"strict": 30 / 40, "official": 33 / 40}
    assert summary.tags["parity"]["odd"].count == 20
    copied = summary.floors["copy"]
    assert copied.interval != Share(copied.hits, copied.total).interval  # by programs
    text = summary.text()
    for told in (
        "pass@1, strict",
        "76.9 %",
        "unparsable",
        "truncated",
        "broken                 2.5 %",
        "were the broken wrong  strict 75.0 %",
        "floor: copy",
        "floor: constant",
        "by parity",
        "n 39 of 40, samples 1, T 0.0, top_p 1.0, max tokens 2048, isolation none needed, data ",
        "note: a toy",
        "digits",
    ):
        assert told in text
    assert summary.to_dict()["passes"]["strict"]["1"]["items"] == 39


def test_pass_at_k_is_over_samples_and_only_as_far_as_there_are_any(tmp_path: Path) -> None:
    def now_and_then(item: Item, sample: int) -> str:
        return right(item, sample) if sample == item.row["number"] % 5 else "= 1"

    summary = summarise(part_of(tmp_path / "run", now_and_then, temperature=0.8, samples=5))
    values = {k: round(found.value, 6) for k, found in summary.passes["strict"].items()}
    assert values == {1: 0.2, 2: 0.4, 5: 1.0}


def test_an_empty_part_can_be_told_too(tmp_path: Path) -> None:
    part = part_of(tmp_path / "run", some)
    (part.folder / "samples.jsonl").write_text("")
    assert "n 0 of 40" in summarise(part).text()


def test_two_models_are_compared_item_by_item(tmp_path: Path) -> None:
    good = part_of(tmp_path / "good", right)
    fair = part_of(tmp_path / "fair", lambda item, sample: right(item, sample) if item.row["number"] % 4 else "= 1")
    found = compare(fair, good, models=("fair", "good"))
    assert (found.items, found.left_out) == (40, 0)
    assert found.differences["strict"].value == 0.25
    assert found.alone["strict"] == (0, 10)
    assert found.mcnemar("strict") == 2 / 2**10
    assert "+25.0 points" in found.text()
    assert "McNemar p = 0.002 (10 : 0)" in found.text()
    assert found.to_dict()["rules"]["strict"]["mcnemar"] == 2 / 2**10
    back = compare(good, fair)
    assert back.differences["strict"].value == -0.25


def test_only_what_both_have_answered_is_compared(tmp_path: Path) -> None:
    found = compare(part_of(tmp_path / "a", some), part_of(tmp_path / "b", right))
    assert (found.items, found.left_out) == (39, 1)


def test_different_things_are_not_compared(tmp_path: Path) -> None:
    first, other = part_of(tmp_path / "a", right), part_of(tmp_path / "b", right, count=39)
    with pytest.raises(UsageError, match="are of different data"):
        compare(first, other)
    named = carry_out([plan(sums(40, name="others"))], Control("gold"), tmp_path / "c").parts["others.plain"]
    with pytest.raises(UsageError, match="are of different benchmarks"):
        compare(first, named)
    empty = part_of(tmp_path / "d", right)
    (empty.folder / "samples.jsonl").write_text("")
    with pytest.raises(UsageError, match="no item in common"):
        compare(first, empty)
