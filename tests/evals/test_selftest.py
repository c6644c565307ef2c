"""The selftest finds what is judged wrongly, and is quiet where nothing is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from toy_benchmark import scorer, sums

from foretrace.evals.judging import judge_of
from foretrace.evals.selftest import SCORERS, Check, check_benchmark, check_items, check_scorer
from foretrace.evals.types import Benchmark, Item, Options, Score, Setting, Verdict
from foretrace.sandbox import backends


def check(benchmark: Benchmark) -> Check:
    with judge_of(benchmark, "plain", Setting()) as judge:
        return check_items(judge, benchmark.load(Options()))


@contextmanager
def one_slip(setting: Setting) -> Iterator[Score]:
    """A scorer that is right but for two items."""
    with scorer(setting) as score:

        def slips(item: Item, answer: str | None) -> Verdict:
            verdict = score(item, answer)
            if item.id == "sum-3":
                return replace(verdict, strict=False)
            return replace(verdict, official=True) if item.id == "sum-5" else verdict

        yield slips


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    found = check(sums())
    assert (found.gold, found.wrong, found.faults) == ((8, 8), (0, 8), ())
    assert found.is_fine


def test_one_slip_is_named() -> None:
    found = check(sums(scorer=one_slip))
    assert (found.gold, found.wrong) == ((7, 8), (1, 8))
    assert found.faults == (
        "the gold answer of sum-3 fails under the strict rule: right",
        "a wrong answer to sum-5 passes under the official rule",
    )
    assert "✗ the gold answer of sum-3" in found.text()


def test_an_answer_that_is_not_read_as_it_was_written_is_found_in_any_style() -> None:
    plain = sums().styles["plain"]
    styles: dict[str, Any] = {"plain": plain, "shouting": replace(plain, write=lambda answer: f"IT IS = {answer}!")}
    found = check(sums(2, styles=styles))
    assert found.gold == (2, 2)
    assert found.faults[0] == "sums:shouting does not read the gold answer of sum-0 as it was written"
    assert len(found.faults) == 4


@pytest.mark.skipif(bool(backends()["bubblewrap"]), reason="no bubblewrap")
@pytest.mark.parametrize("name", SCORERS)
def test_scorers_judge_what_is_known_well(name: str) -> None:
    found = check_scorer(name)
    if "math-verify" in found.skipped:
        pytest.skip(found.skipped)
    assert found.is_fine
    assert not found.skipped
    assert found.gold[0] == found.gold[1] == found.wrong[1] > found.wrong[0] == 0


def test_missing_data_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORETRACE_EVALDATA", "nowhere")
    assert check_benchmark("cruxeval-o").skipped.startswith("no cruxeval.jsonl in nowhere")
