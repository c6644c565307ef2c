"""The picture: a model beside others of all sizes, parameters against score, with intervals and what needs no model.

    Path("cruxeval.svg").write_text(landscape("CRUXEval-O", dots_of(published("cruxeval-o")), floors))

SVG drawn by hand, by day and by night; what a dot stands for is its `<title>`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from foretrace.data.markup import Markup, tag
from foretrace.data.quantities import short
from foretrace.data.report_style import DARK, LIGHT
from foretrace.data.svg import line, svg, text
from foretrace.evals.published import Floor, Published, Score
from foretrace.evals.report.labels import Box, Placed, place_labels

OTHERS, EXECUTION, OURS = "others", "execution", "ours"
KINDS = {
    OURS: "measured here",
    EXECUTION: "published, trained on executions",
    OTHERS: "published",
}
DIRECT, THOUGHT, TRACE = "direct", "thought", "trace"
SHAPES = {
    DIRECT: "answers at once",
    THOUGHT: "thinks in words first",
    TRACE: "predicts the execution",
}
_SHAPE_OF = {"cot": THOUGHT, "thinking": THOUGHT, "trace": TRACE, "grammar": TRACE, "jump": TRACE, "history": TRACE}

WIDTH, HEIGHT = 960, 560
_LEFT, _RIGHT, _TOP, _BOTTOM, _UNSIZED = 46, 20, 92, 46, 92
"""Margins, and the width of the column of models whose size is not published."""
_RADIUS = {OURS: 6.0, EXECUTION: 4.8, OTHERS: 3.4}
_PERCENT_STEP = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A score of a model."""

    name: str
    parameters: float | None
    score: float
    low: float
    high: float
    kind: str
    """One of KINDS."""
    style: str
    """How it was asked."""
    about: str = ""
    """What more is told where a pointer is."""

    @property
    def shape(self) -> str:
        """One of SHAPES."""
        return _SHAPE_OF.get(self.style, DIRECT)


def dots_of(found: Published) -> list[Dot]:
    """What is published, as dots."""
    return [_published_dot(row) for row in found.rows]


def _published_dot(row: Score) -> Dot:
    low, high = row.interval
    return Dot(
        name=row.model,
        parameters=row.parameters,
        score=row.score,
        low=low,
        high=high,
        kind=EXECUTION if row.is_execution_trained else OTHERS,
        style=row.style,
        about="; ".join(filter(None, (row.note, f"{row.source.title}, {row.source.where}"))),
    )


def landscape(title: str, dots: Sequence[Dot], floors: Sequence[Floor] = (), *, subtitle: str = "") -> Markup:
    """A picture that stands alone, as an SVG file or within a page.

    Args:
        title: of the benchmark.
        dots: published ones and ours; one at least.
        floors: drawn across.
        subtitle: what must be said.

    """
    place = _Place.of(dots)
    drawn = [text(_LEFT, 22, title, "start", "heading"), text(_LEFT, 40, subtitle, "start")]
    drawn += _legend(dots) + _axes(place) + [part for floor in floors for part in _floor(place, floor)]
    ordered = sorted(dots, key=lambda dot: list(KINDS).index(dot.kind), reverse=True)
    drawn += [_interval(place, dot) for dot in ordered] + [_mark(place, dot) for dot in ordered]
    drawn += [_label(placed) for placed in _labels(place, dots, floors)]
    night = f"@media (prefers-color-scheme: dark) {{ {_style(DARK)} }}"
    return svg(
        WIDTH,
        HEIGHT,
        tag("title", f"{title}: parameters against pass@1"),
        tag("style", Markup(f"{_style(LIGHT)}{night}")),
        tag("rect", width=WIDTH, height=HEIGHT, rx=10, class_="back"),
        tag("g", *drawn, class_="landscape"),
        xmlns="http://www.w3.org/2000/svg",
        width=WIDTH,
        height=HEIGHT,
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where numbers stand."""

    low: float
    high: float
    """Powers of ten: parameters at the ends."""
    most: float
    """Score at the top."""
    unsized: bool

    @classmethod
    def of(cls, dots: Sequence[Dot]) -> "_Place":
        sizes = [math.log10(dot.parameters) for dot in dots if dot.parameters]
        low, high = (min(sizes) - 0.18, max(sizes) + 0.18) if sizes else (6.0, 9.0)
        top = max(dot.high for dot in dots)
        most = min(1.0, math.ceil(100 * top / _PERCENT_STEP) * _PERCENT_STEP / 100)
        return cls(low, high, most, any(not dot.parameters for dot in dots))

    @property
    def right(self) -> float:
        """Where the axis of sizes ends."""
        return WIDTH - _RIGHT - (_UNSIZED if self.unsized else 0)

    def x(self, parameters: float | None) -> float:
        if not parameters:
            return WIDTH - _RIGHT - _UNSIZED / 2 - 14
        return _LEFT + (math.log10(parameters) - self.low) / (self.high - self.low) * (self.right - _LEFT)

    def y(self, score: float) -> float:
        return HEIGHT - _BOTTOM - score / self.most * (HEIGHT - _TOP - _BOTTOM)


def _axes(place: _Place) -> list[Markup]:
    drawn = []
    for percent in range(0, round(100 * place.most) + 1, _PERCENT_STEP):
        y = place.y(percent / 100)
        drawn += [line(_LEFT, y, WIDTH - _RIGHT, y, "grid"), text(_LEFT - 8, y + 4, f"{percent} %", "end")]
    for power in range(math.ceil(place.low), math.floor(place.high) + 1):
        x = place.x(10.0**power)
        drawn += [line(x, _TOP, x, HEIGHT - _BOTTOM, "grid"), text(x, HEIGHT - _BOTTOM + 18, _size(10.0**power), "middle")]
    middle = (_LEFT + place.right) / 2
    drawn.append(text(middle, HEIGHT - 10, "parameters", "middle", "name"))
    if place.unsized:
        drawn.append(line(place.right, _TOP, place.right, HEIGHT - _BOTTOM, "edge"))
        drawn.append(text(place.right + _UNSIZED / 2, HEIGHT - _BOTTOM + 18, "size not published", "middle"))
    return drawn


def _size(parameters: float) -> str:
    return short(round(parameters)).replace(" ", "").replace("G", "B")


def _floor(place: _Place, floor: Floor) -> list[Markup]:
    y = place.y(floor.score)
    drawn = line(_LEFT, y, WIDTH - _RIGHT, y, "floor")
    return [drawn, text(place.right - 8, y - 5, _floor_name(floor), "end", "small")]


def _floor_name(floor: Floor) -> str:
    return f"{floor.name}: {100 * floor.score:.1f} %"


def _floor_boxes(place: _Place, floor: Floor) -> list[Box]:
    """Of its line and its name: no label goes there."""
    y, width = place.y(floor.score), 5.7 * len(_floor_name(floor))
    return [Box(_LEFT, y - 1, WIDTH - _RIGHT, y + 1), Box(place.right - 8 - width, y - 16, place.right - 8, y)]


def _interval(place: _Place, dot: Dot) -> Markup:
    x = place.x(dot.parameters)
    return line(x, place.y(dot.low), x, place.y(dot.high), f"interval {dot.kind}")


def _mark(place: _Place, dot: Dot) -> Markup:
    size = "" if dot.parameters is None else f", {_size(dot.parameters)} parameters"
    told = f"{dot.name} ({dot.style}): {100 * dot.score:.1f} % [{100 * dot.low:.1f}, {100 * dot.high:.1f}]{size}"
    title = tag("title", f"{told}. {dot.about}" if dot.about else told)
    return shape(place.x(dot.parameters), place.y(dot.score), dot.kind, dot.shape, title)


def shape(x: float, y: float, kind: str, form: str, *children: Markup) -> Markup:
    """A disc, a ring or a diamond: how it was asked; its colour tells what it is."""
    r = _RADIUS[kind]
    if form == TRACE:
        r *= 1.3
        points = f"{x:.1f},{y - r:.1f} {x + r:.1f},{y:.1f} {x:.1f},{y + r:.1f} {x - r:.1f},{y:.1f}"
        return tag("polygon", *children, points=points, class_=f"dot {kind} solid")
    filling = "hollow" if form == THOUGHT else "solid"
    return tag("circle", *children, cx=round(x, 1), cy=round(y, 1), r=r, class_=f"dot {kind} {filling}")


def _legend(dots: Sequence[Dot]) -> list[Markup]:
    drawn, x = [], float(_LEFT + 6)
    kinds = [(kind, DIRECT, words) for kind, words in KINDS.items() if any(dot.kind == kind for dot in dots)]
    shapes = [(OTHERS, form, words) for form, words in SHAPES.items() if any(dot.shape == form for dot in dots)]
    for kind, form, words in kinds + shapes:
        drawn += [shape(x, 60, kind, form), text(x + 11, 64, words, "start")]
        x += 11 + 5.9 * len(words) + 22
    return drawn


def _labels(place: _Place, dots: Sequence[Dot], floors: Sequence[Floor]) -> list[Placed]:
    """Names of as many dots as there is room for: ours, then those trained on executions, then the best of their size."""

    def first(dot: Dot) -> tuple[int, float]:
        beaten = sum(other.score > dot.score and (other.parameters or 1e13) <= (dot.parameters or 1e13) for other in dots)
        return list(KINDS).index(dot.kind), beaten

    at = {id(dot): (place.x(dot.parameters), place.y(dot.score)) for dot in dots}
    marks = [Box.around(*at[id(dot)], _RADIUS[dot.kind] + 1) for dot in dots]
    marks += [box for floor in floors for box in _floor_boxes(place, floor)]
    room = Box(_LEFT, _TOP - 8, WIDTH - 4, HEIGHT - _BOTTOM)
    wanted = [(_name(dot), *at[id(dot)], _RADIUS[dot.kind] + 4, dot.kind) for dot in sorted(dots, key=first)]
    return place_labels(wanted, marks, room)


def _name(dot: Dot) -> str:
    return f"{dot.name} · {dot.style}" if dot.kind != OTHERS and dot.style != DIRECT else dot.name


def _label(placed: Placed) -> Markup:
    return text(placed.x, placed.y, placed.words, placed.anchor, f"label {placed.kind}")


def _style(colours: dict[str, str]) -> str:
    """Rules for one time of day."""
    kinds = {OTHERS: colours["k5"], EXECUTION: colours["k0"], OURS: colours["k4"]}
    rules = [
        f".back {{ fill: {colours['card']}; }}",
        f".landscape text {{ fill: {colours['soft']}; font: 11.5px system-ui, sans-serif; }}",
        f".landscape text.heading {{ fill: {colours['ink']}; font-size: 16px; font-weight: 600; }}",
        f".landscape text.name {{ fill: {colours['ink']}; }} .landscape text.small {{ font-size: 10.5px; }}",
        ".landscape text.label { font-size: 10.5px; }",
        f".landscape line.grid, .landscape line.edge {{ stroke: {colours['line']}; }}",
        f".landscape line.floor {{ stroke: {colours['soft']}; stroke-dasharray: 5 4; opacity: .7; }}",
        f".landscape circle.hollow {{ fill: {colours['card']}; }}",
    ]
    for kind, colour in kinds.items():
        rules.append(f".landscape .dot.{kind} {{ stroke: {colour}; stroke-width: 1.6; }}")
        rules.append(f".landscape .dot.{kind}.solid {{ fill: {colour}; }}")
        faint = "" if kind == OURS else " opacity: .28;"
        width = 2.4 if kind == OURS else 1.2
        rules.append(f".landscape .interval.{kind} {{ stroke: {colour}; stroke-width: {width};{faint} }}")
        rules.append(f".landscape text.label.{kind} {{ fill: {colour if kind != OTHERS else colours['soft']}; }}")
    rules.append(f".landscape text.label.{OURS} {{ font-size: 12.5px; font-weight: 600; }}")
    return "".join(rules)
