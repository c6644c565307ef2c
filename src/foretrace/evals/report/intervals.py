"""Shares with their intervals, one a row: what overlaps and what does not is seen at once.

intervals([Row("str", 0.18, 0.15, 0.22, "n = 371"), Row("int", 0.16, 0.08, 0.23, "n = 97")])
"""

from collections.abc import Sequence
from dataclasses import dataclass

from foretrace.data.markup import Markup, join, tag
from foretrace.data.svg import line, svg, text
from foretrace.evals.statistics import Estimate, Share

WIDTH = 520
_ROW, _AXIS, _WORDS = 21, 18, 130
"""Height of a row and of the axis, and width of the numbers at the right."""
_CHARACTER, _LEAST, _LONGEST = 6.6, 70, 28
"""Width of a character, least width of the names, and characters of the longest."""
_MARKS = (0, 25, 50, 75, 100)


@dataclass(frozen=True, slots=True)
class Row:
    """A share in [0, 1]."""

    name: str
    value: float
    low: float
    high: float
    about: str = ""
    """Told where a pointer is."""
    colour: str = "k0"

    @classmethod
    def of(cls, name: str, found: Estimate | Share, colour: str = "k0") -> "Row":
        """Of what statistics give."""
        if isinstance(found, Share):
            low, high = found.interval
            return cls(name, found.value, low, high, f"{found.hits} of {found.total}", colour)
        return cls(name, found.value, found.low, found.high, f"n = {found.count}", colour)


def intervals(rows: Sequence[Row]) -> Markup:
    """A plot of them, in their order."""
    longest = min(max((len(row.name) for row in rows), default=0), _LONGEST)
    scale = _Scale(max(_LEAST, _CHARACTER * longest + 14))
    bottom = len(rows) * _ROW
    grid = [line(scale.x(mark / 100), 0, scale.x(mark / 100), bottom, "grid") for mark in _MARKS]
    ticks = [text(scale.x(mark / 100), bottom + 14, f"{mark} %", "middle") for mark in _MARKS]
    drawn = [_row(row, scale, at * _ROW + _ROW / 2) for at, row in enumerate(rows)]
    return svg(WIDTH, bottom + _AXIS, *grid, *ticks, *drawn)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Between the names and the numbers."""

    left: float

    def x(self, share: float) -> float:
        return self.left + min(max(share, 0.0), 1.0) * (WIDTH - self.left - _WORDS - 14)


def _row(row: Row, scale: _Scale, y: float) -> Markup:
    told = f"{100 * row.value:.1f} % [{100 * row.low:.1f}, {100 * row.high:.1f}]"
    name = row.name if len(row.name) <= _LONGEST else row.name[: _LONGEST - 1] + "…"
    low, high = scale.x(row.low), scale.x(row.high)
    bar = {"x": round(low, 1), "width": round(max(high - low, 1), 1), "y": y - 3, "height": 6}
    title = tag("title", f"{row.name}: {told}, {row.about}" if row.about else f"{row.name}: {told}")
    return join(
        text(scale.left - 10, y + 4, name, "end", "name"),
        tag("rect", title, rx=3, opacity=0.35, class_=row.colour, **bar),
        tag("circle", title, cx=round(scale.x(row.value), 1), cy=y, r=4, class_=row.colour),
        text(WIDTH - _WORDS + 2, y + 4, told, "start"),
    )
