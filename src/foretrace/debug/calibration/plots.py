"""Pictures of a calibration as SVG: what a model says, what is shown, and what came true.

reliability(measured.raw_curve, measured.curve)
beside(measured.groups["type"])
figure({"values, free-run": measured})                 # a file of its own

Orange is the raw probability, blue what is shown, black what was right; a picture says the same by shape. Beneath a
reliability diagram stands how often each probability is shown.
"""

from collections.abc import Mapping, Sequence
from math import sqrt

from foretrace.data.markup import Markup, join, tag
from foretrace.data.report_style import COLOURS
from foretrace.data.svg import line, svg, text
from foretrace.debug.calibration.report import Group, Measured
from foretrace.debug.calibration.scores import BINS, Point

STYLE = Markup("""
.before { stroke: var(--gone); fill: none; stroke-width: 1.6; stroke-dasharray: 4 3; }
.after { stroke: var(--mark); fill: none; stroke-width: 2.2; stroke-linejoin: round; }
circle.before { fill: var(--card); stroke-dasharray: none; } circle.after { fill: var(--mark); stroke: var(--card);
  stroke-width: 1; }
.ideal { stroke: var(--soft); stroke-dasharray: 2 4; opacity: .8; }
.truth { stroke: var(--ink); stroke-width: 1.6; opacity: .75; }
.often { fill: var(--mark); opacity: .28; }
.reliability { max-width: 440px; margin: 0 auto; }
""")
"""What the classes of these pictures mean, to follow `report_style.STYLE`."""
_SIDE, _LEFT, _RIGHT, _TOP, _GAP, _BARS = 340, 46, 12, 8, 16, 44
_WIDTH, _LABEL, _COUNT, _ROW = 520, 78, 64, 26
_MARGIN = 24
_FIGURE = Markup(
    COLOURS + "svg { overflow: visible; } .back { fill: var(--card); } .grid { stroke: var(--line); }"
    "text { fill: var(--soft); font: 11.5px system-ui, sans-serif; } text.name { fill: var(--ink); font-size: 14px; }"
)
FEWEST = 10
"""Samples that a point of a reliability diagram needs."""
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def reliability(raw: Sequence[Point], shown: Sequence[Point], **place: float) -> Markup:
    """A reliability diagram: the share that was right over the probability, on the diagonal if it tells the truth.

    Args:
        raw: bins of the model's own probabilities.
        shown: of what is shown instead.
        place: `x`, `y`, `width` and `height` within another picture.

    """
    bottom = _TOP + _SIDE
    foot = bottom + _GAP + _BARS

    def at(point: Point) -> tuple[float, float]:
        return _LEFT + point.sure * _SIDE, bottom - point.right * _SIDE

    drawn = []
    for tick in _TICKS:
        x, y = _LEFT + tick * _SIDE, bottom - tick * _SIDE
        drawn += [line(_LEFT, y, _LEFT + _SIDE, y, "grid"), text(_LEFT - 7, y + 4, f"{tick:.0%}", "end")]
        drawn.append(text(x, foot + 16, f"{tick:.0%}", "middle"))
    drawn.append(line(_LEFT, bottom, _LEFT + _SIDE, _TOP, "ideal"))
    for every, kind, what in ((raw, "before", "the model says"), (shown, "after", "shown")):
        points = [point for point in every if point.count >= FEWEST]
        drawn.append(_path(list(map(at, points)), kind))
        most = max(point.count for point in every)
        for point in points:
            x, y = at(point)
            title = tag("title", f"{what}: {point.sure:.1%}; right: {point.right:.1%} of {point.count:,}")
            radius = round(2.2 + 3.8 * sqrt(point.count / most), 1)
            drawn.append(tag("circle", title, cx=round(x, 1), cy=round(y, 1), r=radius, class_=kind))
    return svg(_LEFT + _SIDE + _RIGHT, foot + 22, *drawn, *_often(shown, foot), **place)


def figure(diagrams: Mapping[str, Measured]) -> Markup:
    """Reliability diagrams side by side under their names, as one SVG file, by day and by night."""
    width, height = _LEFT + _SIDE + _RIGHT, _TOP + _SIDE + _GAP + _BARS + 22
    drawn = []
    for number, (name, found) in enumerate(diagrams.items()):
        x = _MARGIN + number * (width + _MARGIN)
        drawn.append(text(x + _LEFT, 30, name, "start", "name"))
        drawn.append(reliability(found.raw_curve, found.curve, x=x, y=44, width=width, height=height))
    across, down = _MARGIN + len(diagrams) * (width + _MARGIN), 44 + height + _MARGIN
    back = tag("rect", width="100%", height="100%", class_="back")
    style = tag("style", _FIGURE, STYLE)
    return svg(across, down, style, back, *drawn, xmlns="http://www.w3.org/2000/svg", width=across, height=down)


def beside(groups: Mapping[str, Group]) -> Markup:
    """A row a group: how much was right with its interval, what is shown on average, and what the model says."""
    room = _WIDTH - _LABEL - _COUNT
    height = len(groups) * _ROW

    def x(share: float) -> float:
        return _LABEL + share * room

    drawn = [line(x(tick), 0, x(tick), height, "grid") for tick in _TICKS]
    drawn += [text(x(tick), height + 16, f"{tick:.0%}", "middle") for tick in _TICKS]
    for number, (name, group) in enumerate(groups.items()):
        y = (number + 0.5) * _ROW
        drawn += [text(_LABEL - 12, y + 4, name, "end", "name"), text(_WIDTH, y + 4, f"{group.count:,}", "end")]
        right, ece = group.right, group.ece
        title = tag(
            "title",
            f"{name}: right {right.value:.1%} [{right.low:.1%}, {right.high:.1%}]; shown {group.sure:.1%} on average, "
            f"the model says {group.raw:.1%}; ECE {group.raw_ece.value:.3f} → {ece.value:.3f}",
        )
        marks = [
            tag("rect", x=0, y=round(y - _ROW / 2, 1), width=_WIDTH, height=_ROW, fill="transparent"),
            line(x(right.low), y, x(right.high), y, "truth"),
            tag("circle", cx=round(x(group.raw), 1), cy=y, r=4.6, class_="before"),
            tag("circle", cx=round(x(group.sure), 1), cy=y, r=5.4, class_="after"),
            line(x(right.value), y - 8, x(right.value), y + 8, "truth"),
        ]
        drawn.append(tag("g", title, *marks))
    return svg(_WIDTH, height + 22, *drawn)


def legend(*, truth: bool) -> Markup:
    """What the marks mean, those of what was right (`beside`) only if `truth`."""
    entries = [
        (tag("circle", cx=8, cy=8, r=4.6, class_="before"), "raw: the model's own probability"),
        (tag("circle", cx=8, cy=8, r=5.4, class_="after"), "shown: calibrated"),
        (join(line(0, 8, 16, 8, "truth"), line(8, 1, 8, 15, "truth")), "what was right, and its 95 % interval"),
    ]
    entries = entries if truth else entries[:-1]
    signs = [tag("svg", sign, width=16, height=16, style="vertical-align: -3px; margin-right: 6px") for sign, _ in entries]
    named = [tag("span", sign, name) for sign, (_, name) in zip(signs, entries, strict=True)]
    return tag("p", *named, class_="legend")


def _often(shown: Sequence[Point], foot: float) -> list[Markup]:
    """Bars of how many have each probability."""
    most = max(point.count for point in shown)
    drawn = []
    for point in shown:
        number = min(int(point.sure * BINS), BINS - 1)
        height = max(point.count / most * _BARS, 0.8)
        place = {"x": round(_LEFT + number * _SIDE / BINS + 1, 1), "width": round(_SIDE / BINS - 2, 1)}
        title = tag("title", f"{point.count:,} shown at about {point.sure:.0%}")
        drawn.append(tag("rect", title, y=round(foot - height, 1), height=round(height, 1), class_="often", **place))
    return drawn


def _path(points: Sequence[tuple[float, float]], kind: str) -> Markup:
    corners = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return tag("path", d=f"M{corners}" if points else None, class_=kind)
