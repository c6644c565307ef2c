"""Plots as SVG, drawn by hand: they need no library, no network and no script, and take their colours from the page.

histogram([1, 2, 5, 10], [3, 9, 1], scale=math.log10)
stacked([("harvested", 9, "k0"), ("contest", 3, "k1")])

What a mark stands for is its `<title>`, which browsers show where the pointer is.
"""

import math
from collections.abc import Callable, Iterable, Sequence

from foretrace.data.markup import Markup, join, tag
from foretrace.data.quantities import short
from foretrace.data.svg import line, svg, text

WIDTH, HEIGHT = 520, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 22, 26
_ROW, _LABEL, _NUMBERS = 40, 110, 190
_APART = 34

Scale = Callable[[float], float]


def histogram(
    edges: Sequence[float],
    counts: Sequence[int],
    *,
    scale: Scale = float,
    show: Callable[[float], str] = short,
    median: float | None = None,
    what: str = "traces",
) -> Markup:
    """Bars between `edges`, as high as `counts`; `scale` may be a logarithm."""
    low, high = scale(edges[0]), scale(edges[-1])
    top = _nice(max(counts, default=0))

    def x(value: float) -> float:
        return _LEFT + (scale(value) - low) / ((high - low) or 1) * (WIDTH - _LEFT - _RIGHT)

    def y(count: float) -> float:
        return HEIGHT - _BOTTOM - count / top * (HEIGHT - _TOP - _BOTTOM)

    grid = [line(_LEFT, y(level), WIDTH - _RIGHT, y(level), "grid") for level in (0, top / 2, top)]
    levels = [text(_LEFT - 6, y(level) + 4, short(level), "end") for level in (0, top / 2, top)]
    bars = [
        _bar(x(left), y(count), x(right), y(0), f"{show(left)} to {show(right)}: {count:,} {what}")
        for left, right, count in zip(edges, edges[1:], counts, strict=False)
        if count
    ]
    ticks = [text(x(value), HEIGHT - 8, show(value), "middle") for value in _ticks(edges, x, is_log=scale is math.log10)]
    marks = [] if median is None else _mark(x(min(max(median, edges[0]), edges[-1])), f"median {show(median)}")
    return svg(WIDTH, HEIGHT, *grid, *levels, *bars, *ticks, *marks)


def stacked(parts: Sequence[tuple[str, int, str]], what: str = "traces") -> Markup:
    """One bar, divided; each part has a name, a count and a class for its colour, and stands in the legend."""
    total = sum(count for _, count, _ in parts) or 1
    rects, legend, at = [], [], 0.0
    for name, count, colour in parts:
        width, share = count / total * WIDTH, f"{count / total:.1%}"
        title = tag("title", f"{name}: {count:,} {what}, {share}")
        place = {"x": round(at, 2), "y": 0, "width": round(max(width - 1.5, 0.5), 2), "height": 22}
        rects.append(tag("rect", title, class_=colour, **place))
        legend.append(tag("span", tag("i", class_=f"swatch {colour}"), f"{name} ", tag("b", share)))
        at += width
    return join(svg(WIDTH, 22, *rects), tag("p", *legend, class_="legend"))


def bar(share: float, colour: str = "mark") -> Markup:
    """A bar for a cell of a table: `share` of its width."""
    rect = tag("rect", width=f"{100 * share:.2f}%", height="100%", rx=2, class_=colour)
    return tag("svg", rect, class_="bar", role="presentation")


def funnel(rows: Iterable[tuple[str, int, int]], total: int) -> Markup:
    """A row a stage: its name, what entered it, and how much of that was dropped."""
    room, drawn, previous = WIDTH - _LABEL - _NUMBERS, [], None
    at = 0
    for name, entered, dropped in rows:
        left, gone = (count / max(total, 1) * room for count in (entered - dropped, dropped))
        if previous is not None:
            points = f"{_LABEL},{at - 14} {_LABEL + previous:.1f},{at - 14} {_LABEL + left + gone:.1f},{at} {_LABEL},{at}"
            drawn.append(tag("polygon", points=points, class_="link"))
        numbers = _few(entered - dropped) + (f"   −{_few(dropped)} ({dropped / max(entered, 1):.1%})" if dropped else "")
        title = tag("title", f"{name}: {entered:,} entered, {dropped:,} dropped, {entered - dropped:,} left")
        drawn += [
            text(_LABEL - 10, at + 17, name, "end", "name"),
            tag("rect", title, x=_LABEL, y=at, width=round(max(left, 0.5), 1), height=_ROW - 14, class_="mark"),
            tag("rect", title, x=round(_LABEL + left, 1), y=at, width=round(gone, 1), height=_ROW - 14, class_="gone"),
            text(_LABEL + left + gone + 8, at + 17, numbers, "start"),
        ]
        previous, at = left, at + _ROW
    return svg(WIDTH, max(at - 12, 1), *drawn)


def _bar(left: float, top: float, right: float, bottom: float, title: str) -> Markup:
    width, height = max(right - left - 1, 0.8), max(bottom - top, 1)
    place = {"x": round(left + 0.5, 2), "y": round(bottom - height, 2), "width": round(width, 2), "height": round(height, 2)}
    return tag("rect", tag("title", title), class_="mark", rx=min(2, round(width / 3, 2)), **place)


def _mark(x: float, label: str) -> list[Markup]:
    anchor = "end" if x > WIDTH * 0.7 else "start"
    name = text(x + (5 if anchor == "start" else -5), _TOP - 8, label, anchor, "name")
    return [line(x, _TOP - 16, x, HEIGHT - _BOTTOM, "median"), name]


def _few(count: int) -> str:
    return f"{count:,}" if count < 1_000_000 else short(count)


def _nice(most: float) -> float:
    """The least of 1, 2, 4, 5, 10, 20 … that is not below."""
    power = 10 ** math.floor(math.log10(most)) if most >= 1 else 1
    return next(step * power for step in (1, 2, 4, 5, 10) if step * power >= most)


def _ticks(edges: Sequence[float], x: Scale, *, is_log: bool) -> list[float]:
    """Values to be named, not too near each other: edges, or ones and threes of every power of ten."""
    low, high = edges[0], edges[-1]
    candidates = list(edges)
    if is_log:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        candidates = [step * 10.0**power for step in (1, 3) for power in powers]
    chosen: list[float] = []
    for value in candidates:
        if low <= value <= high and all(abs(x(value) - x(other)) >= _APART for other in chosen):
            chosen.append(value)
    return sorted(chosen)
