"""Shares, means and scores with their uncertainty, and whether two models differ.

Share.of([True, False, True]).text()        # '66.7 % [20.8, 93.9] (2/3)'
Mean.of([0.61, 0.64, 0.60]).text(2)         # '0.62 ± 0.05 (3)'
pass_at_k(n=10, correct=3, k=5)             # 0.917: unbiased (Chen et al., arXiv:2107.03374)
bootstrap(values, clusters).text()          # '31.2 % [28.1, 34.4]': whole clusters are drawn, with replacement
clustered_shares(counts, clusters)["state"] # the same of steps, of which each sample has many
paired(differences, clusters)               # of two models on the same items
mcnemar(only_first=31, only_second=12)      # p of the same, exact
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

Z95 = 1.959964
DRAWS = 10_000
_SAME = 1e-12
"""Shares that differ by less are the same: sums of floats are not exact."""
"""Of a bootstrap."""
_AT_ONCE = 1 << 22
"""Numbers of a bootstrap that are in memory at a time."""
T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
"""Quantiles of Student's distribution for two-sided 95 % intervals, for 1, 2, … degrees of freedom."""


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `total`, with Wilson's 95 % interval (Wilson 1927), which is sound near 0 and 1 too."""

    hits: int
    total: int

    @classmethod
    def of(cls, outcomes: Iterable[bool]) -> "Share":
        """Counts outcomes."""
        listed = list(outcomes)
        return cls(sum(listed), len(listed))

    @property
    def value(self) -> float:
        """The share, 0 of 0 being 0."""
        return self.hits / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end of the 95 % interval; (0, 1) when nothing was counted."""
        if not self.total:
            return 0.0, 1.0
        n, p = self.total, self.value
        centre = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
        half = Z95 / (1 + Z95**2 / n) * (p * (1 - p) / n + Z95**2 / (4 * n * n)) ** 0.5
        return max(0.0, centre - half), min(1.0, centre + half)

    def text(self) -> str:
        """For people."""
        low, high = self.interval
        return f"{100 * self.value:.1f} % [{100 * low:.1f}, {100 * high:.1f}] ({self.hits}/{self.total})"

    def to_dict(self) -> dict[str, float]:
        """For JSON."""
        low, high = self.interval
        return {"share": self.value, "low": low, "high": high, "hits": self.hits, "total": self.total}


@dataclass(frozen=True, slots=True)
class ClusteredShare(Share):
    """The same, where outcomes come in clusters and are no independent evidence; see `clustered_shares`."""

    low: float
    high: float

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end of the 95 % interval."""
        return self.low, self.high


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of a few measurements, such as one for each seed, with Student's 95 % interval."""

    value: float
    half_width: float
    """How far the interval reaches to either side; infinite for a single measurement."""
    count: int

    @classmethod
    def of(cls, values: Iterable[float]) -> "Mean":
        """Averages measurements, of which there must be one."""
        listed = list(values)
        count, value = len(listed), sum(listed) / len(listed)
        if count == 1:
            return cls(value, float("inf"), 1)
        deviation = (sum((x - value) ** 2 for x in listed) / (count - 1)) ** 0.5
        quantile = T95[count - 2] if count - 2 < len(T95) else Z95
        return cls(value, quantile * deviation / count**0.5, count)

    def text(self, digits: int = 2, sign: bool = False) -> str:
        """For people."""
        value = f"{self.value:{'+' if sign else ''}.{digits}f}"
        return f"{value} (1)" if self.count == 1 else f"{value} ± {self.half_width:.{digits}f} ({self.count})"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over items with its 95 % interval."""

    value: float
    low: float
    high: float
    count: int
    """Items."""

    def text(self) -> str:
        """For people."""
        return f"{100 * self.value:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}]"

    def to_dict(self) -> dict[str, float]:
        """For JSON."""
        return {"value": self.value, "low": self.low, "high": self.high, "items": self.count}


@dataclass(frozen=True, slots=True)
class Difference(Estimate):
    """How much the second of two models has more, on the same items."""

    p: float
    """Two-sided, of no difference."""

    def text(self) -> str:
        """For people."""
        low, high = 100 * self.low, 100 * self.high
        return f"{100 * self.value:+.1f} points [{low:+.1f}, {high:+.1f}], p = {self.p:.2g}"

    def to_dict(self) -> dict[str, float]:
        """For JSON."""
        return Estimate.to_dict(self) | {"p": self.p}


def pass_at_k(n: int, correct: int, k: int) -> float:
    """Probability that one of k answers is right, where `correct` of n are: unbiased (Chen et al., arXiv:2107.03374).

    Needs 1 ≤ k ≤ n: fewer answers say nothing of more, and what is usually made of them (100 %) is wrong.
    """
    if not 1 <= k <= n:
        raise ValueError(f"pass@{k} cannot be told from {n} answers")
    return 1.0 - comb(n - correct, k) / comb(n, k)


def bootstrap(values: Sequence[float], clusters: Sequence[Hashable], *, seed: int = 0) -> Estimate:
    """The mean of values in [0, 1], such as one of each item, with a percentile interval over whole clusters.

    Where all clusters have the same mean, nothing can be drawn that is another; the interval is Wilson's then, of as many
    outcomes as there are clusters.
    """
    if not values:
        return Estimate(0.0, 0.0, 1.0, 0)
    value = float(np.mean(values))
    [(low, high)] = _intervals(np.asarray(values)[:, None], np.ones((len(values), 1)), clusters, seed)
    return Estimate(value, min(low, value), max(high, value), len(values))


def clustered_shares(
    counts: Sequence[Mapping[str, tuple[int, int]]], clusters: Sequence[Hashable], *, seed: int = 0
) -> dict[str, Share]:
    """Of each measure, all its hits of all its totals, with an interval as of `bootstrap`.

    Args:
        counts: of each sample, by the name of a measure, hits and of how many.
        clusters: of each sample.
        seed: of what is drawn.

    """
    names = list(dict.fromkeys(name for each in counts for name in each))
    table = np.array([[each.get(name, (0, 0)) for name in names] for each in counts], dtype=np.float64)
    if not names:
        return {}
    hits, totals = table[..., 0], table[..., 1]
    intervals = _intervals(hits, totals, clusters, seed)
    sums = zip(hits.sum(0).astype(int).tolist(), totals.sum(0).astype(int).tolist(), strict=True)
    return {
        name: ClusteredShare(hit, total, low, high)
        for name, (hit, total), (low, high) in zip(names, sums, intervals, strict=True)
        if total
    }


def paired(differences: Sequence[float], clusters: Sequence[Hashable], *, seed: int = 0) -> Difference:
    """The mean of differences between two models, one of each item, with a percentile interval over whole clusters.

    p is twice the share of draws on the other side of zero. It is never less than can be told from so many draws, nor from
    so many clusters: of n that differ, all in one direction, the test that flips their signs has 2 / 2ⁿ. Where all differ by
    the same, nothing can be drawn that is another: the interval ends at Wilson's share of clusters that do.
    """
    if not differences:
        return Difference(0.0, -1.0, 1.0, 0, 1.0)
    columns = np.stack([np.asarray(differences, dtype=np.float64), np.ones(len(differences))], 1)
    table = _by_cluster(columns, clusters)
    value, each = float(np.mean(differences)), table[:, 0] / table[:, 1]
    sums, sizes = _drawn_sums(table, seed).T
    means = sums / sizes
    low, high = np.quantile(means, (0.025, 0.975))
    if np.ptp(each) < _SAME:
        low, high = sorted((value, value * Share(len(each), len(each)).interval[0]))
    tail = min(int((means <= 0).sum()), int((means >= 0).sum()))
    p = min(1.0, max(2 * (tail + 1) / (len(means) + 1), 2.0 ** (1 - np.count_nonzero(each))))
    return Difference(value, float(low), float(high), len(differences), p)


def mcnemar(only_first: int, only_second: int) -> float:
    """p, two-sided and exact, that two models differ of whom each alone was right so often (McNemar 1947)."""
    total = only_first + only_second
    tail: int = sum(comb(total, at) for at in range(min(only_first, only_second) + 1))
    return float(min(1.0, 2 * tail / 2**total))


def _intervals(hits: Array, totals: Array, clusters: Sequence[Hashable], seed: int) -> list[tuple[float, float]]:
    """Of each column (rows, measures) the interval of the sum of hits over the sum of totals."""
    measures = hits.shape[1]
    table = _by_cluster(np.concatenate([hits, totals], 1), clusters)
    drawn = _drawn_sums(table, seed)
    found = []
    for at in range(measures):
        hit, total = table[:, at], table[:, measures + at]
        counted = total > 0
        shares = hit[counted] / total[counted]
        if not counted.any() or np.ptp(shares) < _SAME:
            share = float(shares[0]) if counted.any() else 0.0
            found.append(Share(round(share * int(counted.sum())), int(counted.sum())).interval)
            continue
        has_any = drawn[:, measures + at] > 0
        low, high = np.quantile(drawn[has_any, at] / drawn[has_any, measures + at], (0.025, 0.975))
        found.append((float(low), float(high)))
    return found


def _by_cluster(columns: Array, clusters: Sequence[Hashable]) -> Array:
    """(clusters, columns): the sums of the rows of each cluster."""
    numbers = {cluster: number for number, cluster in enumerate(dict.fromkeys(clusters))}
    summed = np.zeros((len(numbers), columns.shape[1]))
    np.add.at(summed, [numbers[cluster] for cluster in clusters], columns)
    return summed


def _drawn_sums(table: Array, seed: int) -> Array:
    """(DRAWS, columns): sums over as many rows as there are, drawn with replacement."""
    rng, count = np.random.default_rng(seed), len(table)
    step = max(1, _AT_ONCE // count)
    sums = []
    for start in range(0, DRAWS, step):
        size = min(step, DRAWS - start)
        drawn = rng.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)
        sums.append(times.astype(np.float64) @ table)
    return np.concatenate(sums)
