"""From what is known of a prediction to the probability that it is right, and to the dots that say so.

A map is a weighted sum, then a curve that does not fall.

    mapped = ProbabilityMap(("score", "log tokens"), (0.6, -0.2), bias=1.1, knots=((-3.0, 0.02), (0.0, 0.4), (6.0, 0.99)))
    mapped(np.array([[2.2, 1.1]]))          # array([0.69])
    mark(0.69)                              # '●●○'

Small enough to be read in a file, and NumPy is all that it needs. n samples, F features.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from foretrace.errors import CheckpointError

Floats = NDArray[np.float64]
MOST_ODDS = 12.0
"""Log odds are kept within this distance from zero: beyond, they say how a sum was rounded."""
MARKS = ("●○○", "●●○", "●●●")
FROM = (0.6, 0.9)
"""Probabilities from which on there are two dots, and three."""
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class ProbabilityMap:
    """Features to a probability."""

    features: tuple[str, ...]
    """Their names, in the order of the columns that the map is given."""
    weights: tuple[float, ...]
    bias: float = 0.0
    knots: tuple[tuple[float, float], ...] = ()
    """Sum and probability at the corners of the curve, both rising; between them it is straight, beyond them flat. Without
    knots the curve is the logistic one."""

    def __post_init__(self) -> None:
        if len(self.features) != len(self.weights):
            raise CheckpointError(f"a calibration has {len(self.weights)} weights for {len(self.features)} features")

    def __call__(self, features: Floats) -> Floats:
        """Probabilities (n,) of samples with the given features (n, F)."""
        sums = features @ np.array(self.weights) + self.bias
        if not self.knots:
            return sigmoid(sums)
        at, probabilities = zip(*self.knots, strict=True)
        curve: Floats = np.interp(sums, at, probabilities)
        return curve

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        weights = {name: round(weight, _DIGITS) for name, weight in zip(self.features, self.weights, strict=True)}
        knots = [[round(number, _DIGITS) for number in knot] for knot in self.knots]
        return {"weights": weights, "bias": round(self.bias, _DIGITS), "knots": knots}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], features: Sequence[str]) -> Self:
        """Reads what `to_dict` has made.

        Raises:
            CheckpointError: its features are not those that this version computes.

        """
        if list(values["weights"]) != list(features):
            raise CheckpointError(
                "it was made from other features than this version of foretrace knows; fit it again: foretrace calibrate"
            )
        knots = tuple((float(at), float(probability)) for at, probability in values["knots"])
        return cls(tuple(features), tuple(map(float, values["weights"].values())), float(values["bias"]), knots)


def mark(probability: float) -> str:
    """The dots of a probability."""
    return MARKS[bisect_right(FROM, probability)]


def log_odds(logprob: float) -> float:
    """Log odds of a probability whose natural logarithm is given, within `MOST_ODDS`."""
    certain = min(logprob, -1e-9)
    return max(-MOST_ODDS, min(MOST_ODDS, certain - math.log(-math.expm1(certain))))


def sigmoid(odds: Floats) -> Floats:
    """Probabilities of log odds, exact at both ends."""
    return np.exp(-np.logaddexp(0.0, -odds))
