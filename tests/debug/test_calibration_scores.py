"""Scores of probabilities, against values worked out by hand."""

import math

import numpy as np
import pytest

from foretrace.debug.calibration.scores import Scores, curve, equal_bins, measure

ALONE = np.arange(10)


def scores(sure: list[float], right: list[int], program: list[int] | None = None) -> Scores:
    of = np.array(program) if program else np.arange(len(sure))
    return measure(np.array(sure), np.array(right, dtype=bool), of)


def test_scores_by_hand() -> None:
    """One bin at 0.9 of which half is right, one at 0.1 of which a quarter is: |0.9 - 0.5| / 3 + |0.1 - 0.25| * 2 / 3."""
    found = scores([0.9, 0.9, 0.1, 0.1, 0.1, 0.1], [1, 0, 1, 0, 0, 0])
    assert found.ece.value == pytest.approx(0.4 / 3 + 0.15 * 2 / 3)
    assert found.adaptive_ece.value == pytest.approx(found.ece.value)
    assert found.brier.value == pytest.approx((0.01 + 0.81 + 0.81 + 3 * 0.01) / 6)
    assert found.log_loss.value == pytest.approx(-(math.log(0.9) + 2 * math.log(0.1) + 3 * math.log(0.9)) / 6)
    assert found.auroc.value == pytest.approx((1 * 3 + 0.5 * 1 + 1 * 0.5 * 3 + 0) / 8)
    assert (found.right.value, found.count, found.programs) == (pytest.approx(1 / 3), 6, 6)


def test_ranks_are_what_the_auroc_is_about() -> None:
    assert scores([0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1]).auroc.value == 1.0
    assert scores([0.9, 0.8, 0.3, 0.4], [0, 0, 1, 1]).auroc.value == 0.0
    assert math.isnan(scores([0.9, 0.8], [1, 1]).auroc.value)


def test_true_probabilities_are_calibrated_and_their_squares_are_not() -> None:
    draw = np.random.default_rng(1)
    true = draw.uniform(size=20_000)
    right, program = draw.uniform(size=20_000) < true, np.arange(20_000) // 20
    assert measure(true, right, program).ece.value < 0.015
    assert measure(true**2, right, program).ece.value > 0.12


def test_intervals_are_of_programs_and_not_of_values() -> None:
    """A hundred values that are right together say no more than one; so half of 20 such is as unsure as half of 20."""
    draw = np.random.default_rng(2)
    outcomes = draw.uniform(size=20) < 0.5
    single = measure(np.full(20, 0.5), outcomes, np.arange(20))
    many = measure(np.full(2000, 0.5), np.repeat(outcomes, 100), np.repeat(np.arange(20), 100))
    assert (many.right.low, many.right.high) == pytest.approx((single.right.low, single.right.high))
    apart = measure(np.full(2000, 0.5), np.repeat(outcomes, 100), np.arange(2000))
    assert apart.right.high - apart.right.low < 0.3 * (many.right.high - many.right.low)


def test_equal_probabilities_share_a_bin() -> None:
    sure = np.array([0.5] * 90 + [0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99])
    bins = equal_bins(sure)
    assert len(set(bins[:90].tolist())) == 1
    assert all(a <= b for a, b in zip(bins[np.argsort(sure)], bins[np.argsort(sure)][1:], strict=False))


def test_a_curve_holds_what_was_measured() -> None:
    points = curve(np.array([0.02, 0.04, 0.98, 1.0]), np.array([False, True, True, True]))
    assert [(p.sure, p.right, p.count) for p in points] == [(0.03, 0.5, 2), (0.99, 1.0, 2)]


def test_scores_survive_json() -> None:
    found = scores([0.9, 0.8, 0.4], [1, 1, 1])
    again = Scores.from_dict(found.to_dict())
    assert again.to_dict() == found.to_dict()
    assert math.isnan(again.auroc.value)
