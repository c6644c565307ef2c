"""How good probabilities are: whether they come true as often as they say, and whether they tell right from wrong.

    scores = measure(sure, right, program)
    scores.ece.text()                   # '0.021 [0.016, 0.030]'
    curve(sure, right)                  # points of a reliability diagram

Values of one program are right or wrong together, so that intervals come from drawing programs anew, not values (the
bootstrap, Efron and Tibshirani 1993, chapters 8 and 10, of clusters). n values, P programs.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from foretrace.debug.calibration.maps import Floats

Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]

BINS = 15
_LEAST = 1e-6
"""Probabilities nearer to 0 or 1 count as this near in the log loss, which is infinite for a certain error."""
_RESAMPLES = 400
_ESTIMATES = ("right", "ece", "adaptive_ece", "brier", "log_loss", "auroc")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured number and its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, resampled: Floats, most: float = 1.0) -> Self:
        """The interval is between percentiles of what came out for resampled programs, moved by their mean's distance.

        A sample of a sample has a larger calibration error than the sample, so the percentiles alone would be too high.
        What is estimated is between 0 and `most`.
        """
        there = resampled[~np.isnan(resampled)]
        if not len(there):
            return cls(float(value), np.nan, np.nan)
        low, high = np.percentile(there, (2.5, 97.5)) - (there.mean() - value)
        return cls(float(value), max(float(low), 0.0), min(float(high), most))

    def text(self, digits: int = 3) -> str:
        """For people."""
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"

    def to_list(self) -> list[float | None]:
        """For JSON: the value and the ends of its interval; None for what is not a number."""
        return [_rounded(number) for number in (self.value, self.low, self.high)]

    @classmethod
    def from_list(cls, values: Sequence[float | None]) -> Self:
        """Reads what `to_list` has made."""
        return cls(*(math.nan if value is None else value for value in values))


@dataclass(frozen=True, slots=True)
class Scores:
    """How good some probabilities are."""

    count: int
    programs: int
    right: Estimate
    """Share of what was right."""
    sure: float
    """Mean of the probabilities."""
    ece: Estimate
    """Expected calibration error: mean distance of probability and share, in 15 bins of equal width (Naeini et al. 2015)."""
    adaptive_ece: Estimate
    """The same in 15 bins that hold equally many (Nixon et al. 2019)."""
    brier: Estimate
    """Mean squared distance of probability and outcome (Brier 1950)."""
    log_loss: Estimate
    """Mean of minus the logarithm of the probability of what came true, in nats."""
    auroc: Estimate
    """How often something right has a higher probability than something wrong; not a number if all is right, or wrong."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        counts = {"count": self.count, "programs": self.programs, "sure": round(self.sure, 5)}
        return counts | {name: getattr(self, name).to_list() for name in _ESTIMATES}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` has made."""
        estimates = {name: Estimate.from_list(values[name]) for name in _ESTIMATES}
        return cls(count=values["count"], programs=values["programs"], sure=values["sure"], **estimates)


def measure(sure: Floats, right: Flags, program: Numbers, *, resamples: int = _RESAMPLES, seed: int = 0) -> Scores:
    """Scores of probabilities.

    Args:
        sure: (n,) probabilities, n > 0.
        right: (n,) whether what had them was right.
        program: (n,) number of the program that each is of.
        resamples: draws of programs that the intervals come from.
        seed: of the draws.

    """
    names, of = np.unique(program, return_inverse=True)
    drawn = _draws(len(names), resamples, seed)
    truth = right.astype(np.float64)
    width = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    return Scores(
        count=len(sure),
        programs=len(names),
        right=_mean(truth, of, drawn),
        sure=float(sure.mean()),
        ece=_calibration_error(sure, truth, width, of, drawn),
        adaptive_ece=_calibration_error(sure, truth, equal_bins(sure), of, drawn),
        brier=_mean((sure - truth) ** 2, of, drawn),
        log_loss=_mean(log_losses(sure, right), of, drawn, most=math.inf),
        auroc=_auroc(sure, right, of, drawn),
    )


def log_losses(sure: Floats, right: Flags) -> Floats:
    """Minus the logarithm (n,) of the probability of what came true, in nats."""
    near = np.clip(sure, _LEAST, 1 - _LEAST)
    return -np.where(right, np.log(near), np.log1p(-near))


def equal_bins(sure: Floats, bins: int = BINS) -> Numbers:
    """The number (n,) of each one's bin, of at most `bins` that hold about equally many; equal probabilities share one."""
    edges = np.unique(np.quantile(sure, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, sure, side="left")


@dataclass(frozen=True, slots=True)
class Point:
    """One bin of a reliability diagram."""

    sure: float
    """Mean probability in it."""
    right: float
    """Share that was right."""
    count: int

    def to_list(self) -> list[float]:
        """For JSON."""
        return [self.sure, self.right, self.count]


def curve(sure: Floats, right: Flags) -> tuple[Point, ...]:
    """The points of a reliability diagram, bins of equal width, empty ones left out."""
    of = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    return tuple(
        Point(round(float(sure[inside].mean()), 5), round(float(right[inside].mean()), 5), int(inside.sum()))
        for inside in (of == number for number in range(BINS))
        if inside.any()
    )


# ---------------------------------------------------------------------------------------------------
# Sums over programs that were drawn. P programs, R resamples, B bins


def _draws(programs: int, resamples: int, seed: int) -> Floats:
    """(R + 1, P): how often each program is drawn; the first time, each once."""
    shares = np.full(programs, 1 / programs)
    drawn = np.random.default_rng(seed).multinomial(programs, shares, size=resamples)
    return np.vstack([np.ones(programs), drawn])


def _mean(values: Floats, of: Numbers, drawn: Floats, most: float = 1.0) -> Estimate:
    sums, counts = np.bincount(of, values), np.bincount(of)
    means = (drawn @ sums) / (drawn @ counts)
    return Estimate.of(means[0], means[1:], most)


def _calibration_error(sure: Floats, truth: Floats, bin_of: Numbers, of: Numbers, drawn: Floats) -> Estimate:
    """Mean over values of the distance between the mean probability and the share of their bin."""
    bins, programs = int(bin_of.max()) + 1, drawn.shape[1]
    surplus = np.bincount(of * bins + bin_of, sure - truth, minlength=programs * bins).reshape(programs, bins)
    errors = np.abs(drawn @ surplus).sum(1) / (drawn @ np.bincount(of))
    return Estimate.of(errors[0], errors[1:])


def _auroc(sure: Floats, right: Flags, of: Numbers, drawn: Floats) -> Estimate:
    """Area under the receiver operating characteristic, ties counting one half."""
    levels, level = np.unique(sure, return_inverse=True)

    def area(times: Floats) -> float:
        weight = times[of]
        good = np.bincount(level, weight * right, minlength=len(levels))
        bad = np.bincount(level, weight * ~right, minlength=len(levels))
        pairs = good.sum() * bad.sum()
        return float((good * (np.cumsum(bad) - bad / 2)).sum() / pairs) if pairs else math.nan

    areas = np.array([area(times) for times in drawn])
    return Estimate.of(areas[0], areas[1:])


def _rounded(number: float) -> float | None:  # JSON has no NaN
    return None if np.isnan(number) else round(float(number), 5)
