"""How often each number occurs: exact quantiles of any amount of data, in memory for its different values only.

lengths = Distribution()
lengths.add(batch["events"])
lengths.quantile(0.5), lengths.mean
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

QUANTILES = {"least": 0.0, "5 %": 0.05, "25 %": 0.25, "median": 0.5, "75 %": 0.75, "95 %": 0.95, "99 %": 0.99, "most": 1.0}
_PER_DECADE = 8


@dataclass(slots=True)
class Distribution:
    """Numbers and how often each occurs."""

    counts: Counter[float] = field(default_factory=Counter)

    def add(self, values: Any, digits: int | None = None) -> None:
        """Adds an Arrow array; nulls are left out. `digits`: round to so many decimals."""
        from pyarrow import compute

        values = compute.drop_null(values)
        if digits is not None:
            values = compute.round(values, digits)
        for pair in compute.value_counts(values).to_pylist():
            value = pair["values"]
            self.counts[value if digits is None else round(value, digits)] += pair["counts"]

    @property
    def number(self) -> int:
        """How many numbers there are."""
        return self.counts.total()

    @property
    def total(self) -> float:
        """Their sum."""
        return sum(value * count for value, count in self.counts.items())

    @property
    def mean(self) -> float:
        """Their mean; 0 if there are none."""
        return self.total / self.number if self.counts else 0.0

    def quantile(self, share: float) -> float:
        """The least number that at least this share of all does not exceed; 0 if there are none."""
        wanted, below = share * self.number - 1e-6, 0  # a product of floats may lie just above a whole number
        for value in sorted(self.counts):
            below += self.counts[value]
            if below >= wanted:
                return value
        return 0.0

    def quantiles(self) -> dict[str, float]:
        """Those in `QUANTILES`, by their names."""
        return {name: self.quantile(share) for name, share in QUANTILES.items()}

    def in_bins(self, edges: Sequence[float]) -> list[int]:
        """How many lie in each bin: from an edge up to, but for the last, below the next. What lies outside is in none."""
        bins = [0] * max(len(edges) - 1, 0)
        for value, count in self.counts.items():
            at = bisect_right(edges, value) - 1
            if value == edges[-1]:
                at = len(bins) - 1
            if 0 <= at < len(bins):
                bins[at] += count
        return bins

    def log_edges(self) -> list[float]:
        """Edges of bins that are equally wide on a logarithmic scale, as far as whole numbers allow."""
        positive = [value for value in self.counts if value >= 1]
        if not positive:
            return []
        edges = [1.0]
        while edges[-1] <= max(positive):
            step = len(edges)
            edges.append(float(max(round(10 ** (step / _PER_DECADE)), edges[-1] + 1)))
        first = max(bisect_right(edges, min(positive)) - 1, 0)
        return edges[first:]
