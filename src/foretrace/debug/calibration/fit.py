"""Fits a map from what is known of a prediction to the probability that it is right.

    found = fit(names, rising, features, right, program)
    found.map(features)                                # (n,) probabilities
    found.losses                                       # {'raw': 0.31, 'temperature': 0.24, …}: what spoke for it

Feature 0 is the score: the log odds of the raw probability. The ways, from simple to less so:

    raw                     the score as it is
    temperature             the score times a number (Guo et al. 2017)
    isotonic                any function of the score that does not fall (Zadrozny and Elkan 2002)
    logistic                a weighted sum of all features (Platt 1999, who had the score alone)
    logistic, isotonic      any function of that sum that does not fall

They are compared by log loss on programs that a fit has not seen (five-fold cross-validation), and fitted again on all.
The simplest is kept whose loss is within one standard error of the least (Breiman et al. 1984, section 3.4.3): a more
flexible one that is no better has only learnt noise. n samples, F features.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import numpy as np

from foretrace.debug.calibration.maps import Floats, ProbabilityMap, sigmoid
from foretrace.debug.calibration.scores import Flags, Numbers, log_losses
from foretrace.errors import UsageError

RAW = "raw"
RIDGE = 1.0
"""Half the penalty on a squared weight, its feature having a deviation of one: data that can be told apart stay finite."""
GROUP = 100
"""Samples that a corner of an isotonic curve rests on at least."""
FOLDS = 5
LEAST = 5 * GROUP
"""Samples that a fit needs."""
_ITERATIONS, _CONVERGED = 50, 1e-9


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted map, and how the ways to fit one compared."""

    way: str
    """The one that is kept."""
    maps: dict[str, ProbabilityMap]
    """Of each way, fitted on all samples."""
    losses: dict[str, float]
    """Log loss of each way on programs that it was not fitted on, nats."""

    @property
    def map(self) -> ProbabilityMap:
        """Of the way that is kept."""
        return self.maps[self.way]


def fit(names: tuple[str, ...], rising: Collection[str], features: Floats, right: Flags, program: Numbers) -> Fit:
    """The map for samples.

    Args:
        names: of the F features.
        rising: those of them that may only make it surer; the score is always one.
        features: (n, F).
        right: (n,) whether what is judged was right.
        program: (n,) number of the program that each sample is of; a program is never on both sides of a division.

    Raises:
        UsageError: there are too few samples, or all are right, or all wrong.

    """
    if len(right) < LEAST or right.all() or not right.any():
        seen = f"{len(right)} samples, {int(right.sum())} of them right"
        raise UsageError(f"too little to fit a calibration on: {seen}; give more programs: --programs")
    _, of = np.unique(program, return_inverse=True)
    ways = _ways(names, rising)
    losses = {way: np.empty(len(right)) for way in ways}
    for fold in range(FOLDS):
        held = of % FOLDS == fold
        for way, fitted in ways.items():
            sure = fitted(features[~held], right[~held])(features[held])
            losses[way][held] = log_losses(sure, right[held])
    means = {way: float(those.mean()) for way, those in losses.items()}
    least = losses[min(means, key=means.__getitem__)]
    kept = next(way for way, those in losses.items() if _within_noise(those - least, of))
    return Fit(kept, {way: fitted(features, right) for way, fitted in ways.items()}, means)


def _within_noise(differences: Floats, of: Numbers) -> bool:
    """Whether the mean of differences (n,) is at most its standard error, `of` (n,) saying which program each is of."""
    mean = differences.mean()
    by_program = np.bincount(of, differences - mean)
    return bool(mean <= np.sqrt((by_program**2).sum()) / len(differences))


# ---------------------------------------------------------------------------------------------------
# The ways


_Way = Callable[[Floats, Flags], ProbabilityMap]


def _ways(names: tuple[str, ...], rising: Collection[str]) -> dict[str, _Way]:
    """The ways to fit a map of the named features."""
    may_fall = np.array([name not in rising for name in names])
    may_fall[0] = False
    return {
        RAW: lambda features, right: raw(names),
        "temperature": lambda features, right: _temperature(names, features, right),
        "isotonic": lambda features, right: _curved(raw(names), features, right),
        "logistic": lambda features, right: _logistic(names, may_fall, features, right),
        "logistic, isotonic": lambda features, right: _curved(_logistic(names, may_fall, features, right), features, right),
    }


def raw(names: tuple[str, ...]) -> ProbabilityMap:
    """The model's own probability as it is; nothing is fitted."""
    return ProbabilityMap(names, _only_score(names, 1.0))


def _temperature(names: tuple[str, ...], features: Floats, right: Flags) -> ProbabilityMap:
    weights = _newton(features[:, :1], right, np.zeros(1))
    return ProbabilityMap(names, _only_score(names, max(float(weights[0]), 0.0)))


def _logistic(names: tuple[str, ...], may_fall: Flags, features: Floats, right: Flags) -> ProbabilityMap:
    """Features that must not make a prediction less sure, and would, are left out one after the other."""
    centre, scale = features.mean(0), features.std(0)
    scale[scale == 0] = np.inf  # what never varies says nothing
    standard = np.column_stack([(features - centre) / scale, np.ones(len(features))])
    penalty = np.full(standard.shape[1], RIDGE)
    penalty[-1] = 0.0
    found = _newton(standard, right, penalty)
    while (falling := np.where(may_fall, 0.0, found[:-1])).min() < -_CONVERGED:
        standard[:, falling.argmin()] = 0.0
        found = _newton(standard, right, penalty)
    weights = found[:-1] / scale
    return ProbabilityMap(names, tuple(weights.tolist()), float(found[-1] - weights @ centre))


def _only_score(names: tuple[str, ...], weight: float) -> tuple[float, ...]:
    return (weight, *[0.0] * (len(names) - 1))


def _newton(columns: Floats, right: Flags, penalty: Floats) -> Floats:
    """Weights (F,) of a logistic regression by Newton's method; columns: (n, F), penalty: (F,) on squared weights."""
    weights = np.zeros(columns.shape[1])
    for _ in range(_ITERATIONS):
        likely = sigmoid(columns @ weights)
        slope = columns.T @ (right - likely) - penalty * weights
        bend = (columns.T * (likely * (1 - likely))) @ columns + np.diag(penalty + 1e-9)
        step = np.linalg.solve(bend, slope)
        weights = weights + step / max(1.0, float(np.abs(step).max()) / 5)  # far from the solution it would overshoot
        if float(np.abs(step).max()) < _CONVERGED:
            break
    return weights


def _curved(straight: ProbabilityMap, features: Floats, right: Flags) -> ProbabilityMap:
    """The same sum, and instead of the logistic curve the one that fits best among those that do not fall."""
    sums = features @ np.array(straight.weights) + straight.bias
    return ProbabilityMap(straight.features, straight.weights, straight.bias, isotonic(sums, right))


def isotonic(sums: Floats, right: Flags, group: int = GROUP) -> tuple[tuple[float, float], ...]:
    """Corners (sum, probability) of the rising curve that fits best, by pooling adjacent violators (Ayer et al. 1955).

    Samples are pooled in groups of `group` first, and equal sums always. A group counts half a sample more of right and of
    wrong, so that no corner says 0 or 1.
    """
    levels, level = np.unique(sums, return_inverse=True)
    counts, rights = np.bincount(level), np.bincount(level, right)
    # a block: how many samples, how many of them are right, the sum of their sums
    blocks = _pooled(np.column_stack([counts, rights, counts * levels]), lambda before, _: before[0] < group)
    if len(blocks) > 1 and blocks[-1][0] < group:
        blocks[-2:] = [blocks[-2] + blocks[-1]]
    rising = _pooled(blocks, lambda before, after: _share(before) >= _share(after))
    return tuple((float(block[2] / block[0]), _share(block)) for block in rising)


def _pooled(blocks: Iterable[Floats], belong: Callable[[Floats, Floats], bool]) -> list[Floats]:
    """Neighbouring blocks added up as long as any two `belong` together."""
    pooled: list[Floats] = []
    for block in blocks:
        pooled.append(block)
        while len(pooled) > 1 and belong(pooled[-2], pooled[-1]):
            last = pooled.pop()
            pooled[-1] = pooled[-1] + last
    return pooled


def _share(block: Floats) -> float:
    return float((block[1] + 0.5) / (block[0] + 1.0))
