"""Numbers on their way into a picture: axes with round ticks, curves with fewer points, means over neighbours.

axis = Axis.of(losses)
axis.place(0.5)         # 0 at the low end, 1 at the high one
axis.ticks              # (0.1, 0.2, 0.5, 1.0): logarithmic, if the numbers span more than a decade or so
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from foretrace.data.quantities import short

Floats = NDArray[np.float64]

_TICKS = 4
_LOG_FROM = 20.0  # times as large as the least: from there on an axis of positive numbers is logarithmic
_ZERO_BELOW = 0.4  # of the most: if the least is lower, an axis begins at zero
_UNITS = ((7200.0, 3600.0, "h"), (120.0, 60.0, "min"))
"""Seconds from which on a time is told in a unit, seconds of the unit, and its name."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of numbers, and those of them that are named."""

    low: float
    high: float
    ticks: tuple[float, ...]
    is_log: bool = False

    @classmethod
    def of(cls, values: Floats, *, log: bool = True) -> Self:
        """An upright axis for `values` (any shape, gaps allowed): it begins and ends with a tick, unless logarithmic.

        Args:
            log: whether it may be logarithmic.

        """
        values = values[~np.isnan(values)]
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        if log and low > 0 and high / low > _LOG_FROM:
            return cls(low, high, _log_ticks(low, high), is_log=True)
        if 0 < low < _ZERO_BELOW * high:
            low = 0.0
        if low == high:
            low, high = (min(low, 0.0), max(high, 0.0)) if low else (0.0, 1.0)
        step = _step(low, high)
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        return cls(first * step, last * step, tuple(index * step for index in range(first, last + 1)))

    @classmethod
    def across(cls, values: Floats, unit: float = 1.0) -> Self:
        """A level axis that ends where `values` (any shape) end.

        Args:
            unit: ticks are round multiples of it, as of 3,600 seconds.

        """
        low, high = float(values.min()), float(values.max())
        low = 0.0 if 0 < low < _ZERO_BELOW * high else low
        if low == high:
            low, high = low - unit, high + unit
        step = unit * _step(low / unit, high / unit)
        indices = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
        return cls(low, high, tuple(index * step for index in indices))

    def place(self, values: Floats) -> Floats:
        """Where values stand, from 0 at the low end to 1 at the high one."""
        if self.is_log:
            return (np.log(values) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (values - self.low) / (self.high - self.low)


def _step(low: float, high: float) -> float:
    """A distance between about `_TICKS` ticks: 1, 2 or 5 times a power of ten."""
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    return min((power * factor for factor in (1, 2, 5, 10)), key=lambda step: abs(math.log(step / rough)))


def _log_ticks(low: float, high: float) -> tuple[float, ...]:
    """Powers of ten; with 2 and 5 times them, or 3, where there is room; only some where there is not."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [factor * 10.0**power for power in powers for factor in factors]
        ticks = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
        if len(ticks) <= _TICKS + 1:
            return tuple(ticks)
    return tuple(ticks[:: math.ceil(len(ticks) / (_TICKS + 1))])


# ---------------------------------------------------------------------------------------------------
# Words


def number(value: float) -> str:
    """About three digits: `0.0034`, `8.2 k`, `3e-5`."""
    if value == 0 or 1e-3 <= abs(value) < 1000:
        return f"{value:.3g}"
    if abs(value) >= 1000:
        return ("-" if value < 0 else "") + short(round(abs(value)))
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def percent(value: float) -> str:
    """`41%`, and more digits for little."""
    return f"{value:.0%}" if abs(value) >= 0.1 or value == 0 else f"{100 * value:.2g}%"


def duration_unit(most: float) -> tuple[float, Callable[[float], str]]:
    """The unit for times up to `most` seconds, in seconds, and how to write a time in it."""
    for least, unit, name in _UNITS:
        if most >= least:
            return unit, lambda seconds, unit=unit, name=name: f"{seconds / unit:.3g} {name}"
    return 1.0, lambda seconds: f"{seconds:.3g} s"


# ---------------------------------------------------------------------------------------------------
# Points


def smoothen(y: Floats, width: int) -> Floats:
    """Each number as the mean of the `width` around it, fewer at the ends; gaps stay gaps. y: (n,) -> (n,)."""
    there = ~np.isnan(y)
    window = np.ones(min(width, 2 * len(y) - 1))
    sums = np.convolve(np.where(there, y, 0.0), window)
    counts = np.convolve(there.astype(np.float64), window)
    middle = slice((len(window) - 1) // 2, (len(window) - 1) // 2 + len(y))
    with np.errstate(invalid="ignore"):
        return np.where(there, sums[middle] / counts[middle], np.nan)


def thin(x: Floats, y: Floats, buckets: int) -> tuple[Floats, Floats]:
    """At most two points a bucket, the least and the greatest in their order, so that no spike is lost. Both: (n,)."""
    if len(x) <= 2 * buckets:
        return x, y
    kept: list[int] = []
    for indices in np.array_split(np.arange(len(x)), buckets):
        there = indices[~np.isnan(y[indices])]
        if len(there):
            kept += sorted({int(there[y[there].argmin()]), int(there[y[there].argmax()])})
        else:
            kept.append(int(indices[0]))
    return x[kept], y[kept]
