"""Schedules: their shape, and one cosine over two stages."""

from itertools import pairwise
from pathlib import Path

import pytest

from foretrace.errors import UsageError
from foretrace.train.schedule import Schedule


def rates(schedule: Schedule, steps: int) -> list[float]:
    return [schedule.rate(step, steps) for step in range(steps)]


def test_wsd_warms_up_holds_and_cools_down() -> None:
    curve = rates(Schedule(kind="wsd", lr=2.0, warmup_steps=10, decay_steps=20), 100)
    assert curve[0] == pytest.approx(0.2)
    assert curve[10:80] == [2.0] * 70
    assert all(a > b for a, b in pairwise(curve[79:]))
    assert 0 < curve[-1] < 0.1


def test_cosine_falls_from_the_peak_to_the_floor() -> None:
    curve = rates(Schedule(kind="cosine", lr=1.0, warmup_steps=10, floor=0.01), 110)
    assert curve[9] == pytest.approx(1.0)
    assert curve[59] == pytest.approx(0.505, abs=1e-3)
    assert curve[-1] == pytest.approx(0.01)
    assert all(a > b for a, b in pairwise(curve[9:]))


def test_constant_stays() -> None:
    assert rates(Schedule(kind="constant", lr=3.0, warmup_steps=2), 5) == [1.5, 3.0, 3.0, 3.0, 3.0]


def test_two_stages_share_one_cosine() -> None:
    """CWM's pre- and mid-training: other batches, one curve over 13 T tokens."""
    pytest.importorskip("torch")
    from foretrace.recipes.cwm_32b import cwm_32b

    recipe = cwm_32b(Path("w"))
    first, second = recipe.pretrain, recipe.midtrain
    assert first is not None
    assert second is not None
    assert first.schedule.rate(1999, first.steps) == pytest.approx(8e-4)
    end, begin = first.schedule.rate(first.steps - 1, first.steps), second.schedule.rate(0, second.steps)
    assert begin == pytest.approx(end, rel=1e-4)
    assert second.schedule.rate(second.steps - 1, second.steps) == pytest.approx(8e-6, rel=1e-3)


def test_an_unknown_schedule_is_a_clear_error() -> None:
    with pytest.raises(UsageError, match="wsd, cosine, constant"):
        Schedule(kind="stairs")
