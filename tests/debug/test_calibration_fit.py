"""Fitted maps: they find what data were made with, rise with the score, and are chosen on programs that they have not seen."""

import math
from itertools import pairwise

import numpy as np
import pytest

from foretrace.debug.calibration.fit import GROUP, fit, isotonic
from foretrace.debug.calibration.maps import ProbabilityMap, log_odds, sigmoid
from foretrace.errors import CheckpointError, UsageError

NAMES = ("score", "length")


def samples(weights: tuple[float, float], bias: float, count: int = 20_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, outcomes, and programs of 20 samples each."""
    draw = np.random.default_rng(3)
    features = np.column_stack([draw.normal(2, 2, count), draw.uniform(0, 5, count)])
    right = draw.uniform(size=count) < sigmoid(features @ np.array(weights) + bias)
    return features, right, np.arange(count) // 20


def test_the_logistic_way_finds_the_weights_of_the_data() -> None:
    features, right, program = samples((0.7, -0.4), 0.5)
    found = fit(NAMES, (), features, right, program)
    assert found.way == "logistic"
    assert found.map.weights == pytest.approx((0.7, -0.4), abs=0.06)
    assert found.map.bias == pytest.approx(0.5, abs=0.12)
    assert found.losses["logistic"] < found.losses["isotonic"] < found.losses["raw"]


def test_a_temperature_is_found_where_it_is_all_that_is_wrong() -> None:
    """And kept, as what can do more does no better."""
    found = fit(NAMES, (), *samples((0.5, 0.0), 0.0))
    assert found.way == "temperature"
    assert found.map.weights == (pytest.approx(0.5, abs=0.03), 0.0)
    assert found.map.bias == 0
    assert fit(NAMES, (), *samples((1.0, 0.0), 0.0)).way == "raw"


def test_a_curve_is_found_where_the_logistic_one_is_wrong() -> None:
    """Never below 0.3, whatever the score."""
    features, _, program = samples((1.0, 0.0), 0.0)
    right = np.random.default_rng(4).uniform(size=len(features)) < 0.3 + 0.7 * sigmoid(3 * features[:, 0])
    found = fit(NAMES, (), features, right, program)
    assert found.way in ("isotonic", "logistic, isotonic")
    assert found.map(np.array([[-9.0, 2.0]]))[0] == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("weights", [(-0.5, 0.3), (0.3, -0.5), (-0.5, -0.3)])
def test_every_map_rises_with_what_must_make_surer(weights: tuple[float, float]) -> None:
    """Also where the data say the contrary."""
    score = np.column_stack([np.linspace(-8, 8, 50), np.full(50, 2.0)])
    for way, found in fit(NAMES, ("length",), *samples(weights, 0.0)).maps.items():
        assert (np.diff(found(score)) >= 0).all(), way
        assert (np.diff(found(score[:, ::-1])) >= 0).all(), way
    free = fit(NAMES, (), *samples(weights, 0.0)).maps["logistic"]
    assert free.weights[0] >= 0
    assert free.weights[1] * weights[1] > 0


def test_data_that_can_be_told_apart_give_finite_weights() -> None:
    features = np.column_stack([np.linspace(-5, 5, 1000), np.ones(1000)])
    found = fit(NAMES, (), features, features[:, 0] > 0, np.arange(1000) % 7).maps["logistic"]
    assert np.isfinite(found.weights).all()
    assert found.weights[1] == 0  # what never varies says nothing


def test_an_isotonic_curve_pools_what_falls() -> None:
    sums = np.repeat([0.0, 1.0, 2.0, 3.0], 100)
    right = np.concatenate([np.arange(100) < share for share in (10, 60, 40, 90)])
    assert np.array(isotonic(sums, right)) == pytest.approx(
        np.array([[0.0, 10.5 / 101], [1.5, 100.5 / 201], [3.0, 90.5 / 101]])
    )


@pytest.mark.parametrize("count", [60, 149, 1000])
def test_a_corner_rests_on_enough_samples(count: int) -> None:
    sums = np.sort(np.random.default_rng(5).normal(size=count))
    right = np.arange(count) % 7 < np.arange(count) / count * 7
    corners = isotonic(sums, right)
    assert 1 <= len(corners) <= max(count // GROUP, 1)
    assert all(a < b for a, b in pairwise(corners))
    assert all(0 < p < 1 for _, p in corners)


def test_too_little_is_refused() -> None:
    features, right, program = samples((1.0, 0.0), 0.0, 100)
    with pytest.raises(UsageError, match=r"100 samples.*--programs"):
        fit(NAMES, (), features, right, program)
    with pytest.raises(UsageError, match="1000 of them right"):
        fit(NAMES, (), np.zeros((1000, 2)), np.ones(1000, dtype=bool), np.arange(1000))


def test_a_map_survives_its_file() -> None:
    curved = ProbabilityMap(NAMES, (0.123456, -1.0), 0.5, ((-1.0, 0.1), (2.0, 0.8)))
    assert ProbabilityMap.from_dict(curved.to_dict(), NAMES) == curved
    assert curved(np.array([[-50.0, 0.0], [50.0, 0.0]])).tolist() == [0.1, 0.8]
    with pytest.raises(CheckpointError, match="other features"):
        ProbabilityMap.from_dict(curved.to_dict(), ("score", "tokens"))


def test_log_odds_are_exact_near_one_and_bounded() -> None:
    assert log_odds(math.log(0.9)) == pytest.approx(math.log(9))
    assert log_odds(-1e-5) == pytest.approx(math.log(1e5), rel=1e-6)
    assert (log_odds(0.0), log_odds(-1e9)) == (12, -12)
