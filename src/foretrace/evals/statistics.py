"""Shares and means with their uncertainty.

Share.of([True, False, True]).text()        # '66.7 % [20.8, 93.9] (2/3)'
Mean.of([0.61, 0.64, 0.60]).text(2)         # '0.62 ± 0.05 (3)'
"""

from collections.abc import Iterable
from dataclasses import dataclass

Z95 = 1.959964
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
