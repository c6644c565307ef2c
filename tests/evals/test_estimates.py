"""pass@k, intervals and tests against what can be counted out."""

from itertools import combinations, product
from math import isclose

import numpy as np
import pytest

from foretrace.evals.statistics import Share, bootstrap, clustered_shares, mcnemar, paired, pass_at_k


@pytest.mark.parametrize(("n", "correct", "k"), [(5, 2, 1), (5, 2, 3), (6, 0, 2), (4, 4, 2), (7, 3, 7), (6, 1, 5)])
def test_pass_at_k_is_the_share_of_draws_with_a_right_one(n: int, correct: int, k: int) -> None:
    draws = list(combinations([True] * correct + [False] * (n - correct), k))
    assert isclose(pass_at_k(n, correct, k), sum(map(any, draws)) / len(draws))


def test_more_than_there_is_cannot_be_told() -> None:
    with pytest.raises(ValueError, match="pass@5 cannot be told from 4 answers"):
        pass_at_k(4, 1, 5)


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(100):
        outcomes = (rng.random(120) < 0.3).astype(float)
        found = bootstrap(outcomes.tolist(), range(120))
        hits += found.low <= 0.3 <= found.high
    assert 88 <= hits <= 99


def test_items_of_one_program_are_no_independent_evidence() -> None:
    values = [float(number % 2) for number in range(40) for _ in range(5)]
    alone = bootstrap(values, range(200))
    together = bootstrap(values, [number for number in range(40) for _ in range(5)])
    assert together.value == alone.value == 0.5
    ratio = (together.high - together.low) / (alone.high - alone.low)
    assert 2.0 < ratio < 2.5  # √5


def test_intervals_are_the_same_each_time_and_sound_at_the_ends() -> None:
    values = [1.0, 0.0, 0.5, 1.0, 0.0]
    assert bootstrap(values, range(5)) == bootstrap(values, range(5))
    nothing, everything = bootstrap([0.0] * 100, range(100)), bootstrap([1.0] * 100, range(100))
    assert (nothing.low, round(nothing.high, 3)) == (0.0, 0.037)
    assert (round(everything.low, 3), everything.high) == (0.963, 1.0)
    assert bootstrap([], []).text() == "0.0 % [0.0, 100.0]"


def test_a_difference_is_seen_in_pairs_that_two_intervals_hide() -> None:
    rng = np.random.default_rng(0)
    hard = rng.random(400)
    first = (hard < 0.50).astype(float)
    second = (hard < 0.55).astype(float)  # right wherever the first is, and a little beyond
    found = paired((second - first).tolist(), range(400))
    assert found.low > 0
    assert found.p < 0.001
    separate = [bootstrap(each.tolist(), range(400)) for each in (first, second)]
    assert separate[0].high > separate[1].low
    assert paired([0.0] * 50, range(50)).p == 1.0


@pytest.mark.parametrize("clusters", [1, 3, 6])
def test_a_few_items_prove_little_however_much_they_agree(clusters: int) -> None:
    """Against all ways of flipping the signs of clusters, of two items each, that differ in one direction."""
    found = paired([1.0] * 2 * clusters, [number // 2 for number in range(2 * clusters)])
    flipped = [abs(sum(signs)) >= clusters for signs in product((-1, 1), repeat=clusters)]
    assert isclose(found.p, sum(flipped) / len(flipped))
    assert (found.value, found.high) == (1.0, 1.0)
    assert isclose(found.low, Share(clusters, clusters).interval[0])
    worse = paired([-1.0] * clusters, range(clusters))
    assert (worse.low, worse.high) == (-1.0, -found.low)


def test_a_few_items_that_differ_among_many_prove_little_too() -> None:
    assert paired([1.0] * 5 + [0.0] * 95, range(100)).p == mcnemar(0, 5)


def test_steps_of_one_program_are_no_independent_evidence() -> None:
    """A hundred programs of which each has all of its steps right or none."""
    counts = [{"state": (20 * (number % 2), 20), "rare": (1, 1) if number == 7 else (0, 0)} for number in range(100)]
    found = clustered_shares(counts, range(100))
    assert (found["state"].hits, found["state"].total) == (1000, 2000)
    low, high = found["state"].interval
    assert (low, high) == pytest.approx((0.4, 0.6), abs=0.02)
    assert Share(1000, 2000).interval[0] > low + 0.05
    assert found["rare"].interval == Share(1, 1).interval  # one program says little, however many steps it has
    assert found["state"].text() == f"50.0 % [{100 * low:.1f}, {100 * high:.1f}] (1000/2000)"
    assert clustered_shares([{"none": (0, 0)}], ["a"]) == clustered_shares([], []) == {}


def test_mcnemar_is_the_exact_binomial() -> None:
    assert mcnemar(0, 0) == 1.0
    assert isclose(mcnemar(1, 9), 2 * (1 + 10) / 2**10)
    assert mcnemar(9, 1) == mcnemar(1, 9)
    assert isclose(mcnemar(0, 5), 2 / 32)
    assert mcnemar(600, 400) < 1e-9
