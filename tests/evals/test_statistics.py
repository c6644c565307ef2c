"""Intervals, against values that are in every table."""

import pytest

from foretrace.evals import Mean, Share


def test_a_share_has_wilsons_interval() -> None:
    share = Share(8, 10)
    assert share.interval == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert share.text() == "80.0 % [49.0, 94.3] (8/10)"


def test_a_mean_has_students_interval() -> None:
    """Standard deviation 1, three measurements: 4.303 / sqrt(3)."""
    mean = Mean.of([1.0, 2.0, 3.0])
    assert (mean.value, mean.half_width) == (2.0, pytest.approx(2.4843, abs=1e-3))
    assert mean.text(1) == "2.0 ± 2.5 (3)"
    assert mean.text(1, sign=True) == "+2.0 ± 2.5 (3)"


def test_one_measurement_has_no_interval() -> None:
    assert Mean.of([4.0]).half_width == float("inf")
    assert Mean.of([4.0]).text(1) == "4.0 (1)"
