"""Curves as a picture: SVG drawn by hand, alone or in a page of HTML; both need no script, no network and no library.

panels = curves.panels(runs)
Path("loss.svg").write_text(figure(panels, x="tokens"))
Path("loss.html").write_text(page(panels, x="tokens"))
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from foretrace import __version__
from foretrace.data.markup import Markup, join, tag
from foretrace.data.quantities import short
from foretrace.data.report_style import DARK, LIGHT, STYLE
from foretrace.data.svg import line, svg, text
from foretrace.train.axes import Axis, Floats, duration_unit, number, percent, thin
from foretrace.train.curves import Panel, Series

WIDTH, _PLOT = 460, 150
"""Of a panel, and the height of what is within its axes."""
_LEFT, _RIGHT, _TITLE, _ROW, _BOTTOM = 48, 14, 26, 17, 24
_GAP, _MARGIN, _COLUMNS = 26, 20, 2
_BUCKETS = WIDTH - _LEFT - _RIGHT
_DOTS = 40  # a curve of fewer points shows them
_FONTS = "system-ui, Arial, Helvetica, 'Liberation Sans', 'DejaVu Sans', 'Noto Sans', sans-serif"
"""By name, too: what makes PNGs takes `sans-serif` for Arial, and leaves texts out where there is none."""
_COLOURS, _DASHES = 6, ("", "5 3", "1.5 2.5")
_AGAINST = {"tokens": "tokens", "seconds": "time", "step": "steps"}
_CHARACTER = 6.1  # width of one in a legend, about
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

Show = Callable[[float], str]


# ---------------------------------------------------------------------------------------------------
# One panel


def draw(panel: Panel, x: Axis, show_x: Show, *, legend: bool) -> tuple[Markup, float]:
    """A panel as elements of SVG, and its height.

    Args:
        x: the axis that all panels share.
        show_x: how its ticks are written.
        legend: whether to name its curves.

    """
    drawn, top = [text(0, 12, panel.title, "start", "name")], float(_TITLE)
    if legend and len(panel.series) > 1:
        names, top = _legend([(series.part, series) for series in panel.series], top - 5)
        drawn += names
    top += _ROW if panel.marks else 0
    bottom = top + _PLOT
    values = [s.y if s.raw is None else s.raw for s in panel.series]
    y = Axis.of(np.concatenate(values), log=not panel.is_share)
    show = percent if panel.is_share else number

    def at_x(values: Floats) -> Floats:
        return _LEFT + x.place(values) * (WIDTH - _LEFT - _RIGHT)

    def at_y(values: Floats) -> Floats:
        return bottom - y.place(values) * _PLOT

    for tick in y.ticks:
        place = float(at_y(np.array(tick)))
        drawn += [line(_LEFT, place, WIDTH - _RIGHT, place, "grid"), text(_LEFT - 6, place + 4, show(tick), "end")]
    for tick in x.ticks:
        drawn.append(text(float(at_x(np.array(tick))), bottom + 17, show_x(tick), "middle"))
    for mark in panel.marks:
        place = float(at_x(np.array(mark.x)))
        title = tag("title", f"{mark.run}: {mark.what}")
        anchor = "end" if place > WIDTH * 0.9 else "middle"
        kind = "moment" if legend else f"moment s{mark.colour % _COLOURS}"
        drawn.append(tag("g", title, line(place, top, place, bottom, kind), text(place, top - 6, mark.what, anchor)))
    for series in panel.series:
        drawn += _curve(series, at_x, at_y, show)
    return join(*drawn), bottom + _BOTTOM


def _legend(named: Sequence[tuple[str, Series]], top: float, width: float = WIDTH) -> tuple[list[Markup], float]:
    """The names of curves in rows from `top` down, and where the rows end."""
    drawn: list[Markup] = []
    at, y = 0.0, top + 5
    for name, series in named:
        needed = 19 + _CHARACTER * len(name) + 14
        if at and at + needed > width:
            at, y = 0.0, y + _ROW
        drawn += [_path([(at, y), (at + 14, y)], series), text(at + 19, y + 4, name, "start")]
        at += needed
    return drawn, y + _ROW + 2


def _curve(series: Series, at_x: Callable[[Floats], Floats], at_y: Callable[[Floats], Floats], show: Show) -> list[Markup]:
    curves = [(series.y, "")] if series.raw is None else [(series.raw, "faint"), (series.y, "")]
    title = tag("title", f"{series.run} {series.part}: last {show(series.last)}")
    drawn = []
    for values, kind in curves:
        xs, ys = thin(series.x, values, _BUCKETS)
        points = list(zip(at_x(xs).tolist(), at_y(ys).tolist(), strict=True))
        drawn.append(_path(points, series, kind, title))
        lonely = len(points) <= _DOTS or _is_scattered(ys)
        if lonely and not kind:
            drawn.append(
                tag(
                    "path",
                    title,
                    d="".join(f"M{a:.1f} {b:.1f}h0" for a, b in points if b == b),
                    class_=f"dot {_class(series)}",
                )
            )
    return drawn


def _is_scattered(y: Floats) -> bool:
    """Whether gaps surround so many points that a line alone would hide them."""
    there = ~np.isnan(y)
    alone = there & ~np.roll(there, 1) & ~np.roll(there, -1)
    return bool(alone.sum() > there.sum() / 2)


def _path(points: Sequence[tuple[float, float]], series: Series, kind: str = "", *children: Markup) -> Markup:
    """A line through `points`, interrupted where one is not a number."""
    steps, is_on = [], False
    for a, b in points:
        if b == b:
            steps.append(f"{'L' if is_on else 'M'}{a:.1f} {b:.1f}")
        is_on = b == b
    return tag("path", *children, d="".join(steps) or None, class_=f"curve {_class(series)} {kind}".strip())


def _class(series: Series) -> str:
    dash = series.colour // _COLOURS % len(_DASHES)
    return f"s{series.colour % _COLOURS}" + (f" d{dash}" if dash else "")


# ---------------------------------------------------------------------------------------------------
# A picture


def figure(panels: Sequence[Panel], x: str) -> Markup:
    """All panels as one SVG file, by day and by night.

    Args:
        panels: see `curves.panels`.
        x: what they are drawn against.

    """
    drawn = _panels(panels, x)
    runs = _runs(panels)
    title = ", ".join(runs) if len(runs) == 1 else f"{len(runs)} runs"
    header, top = [text(0, 14, f"{title}, against {_AGAINST[x]}", "start", "heading")], 40.0
    if len(runs) > 1:
        names, top = _legend(list(runs.items()), 32, WIDTH * _COLUMNS)
        header, top = header + names, top + 14
    children: list[Markup] = []
    for start in range(0, len(drawn), _COLUMNS):
        row_of = drawn[start : start + _COLUMNS]
        for column, (panel, _) in enumerate(row_of):
            children.append(tag("g", panel, transform=f"translate({column * (WIDTH + _GAP)} {top:g})"))
        top += max(height for _, height in row_of) + _GAP / 2
    width, height = min(len(drawn), _COLUMNS) * (WIDTH + _GAP) - _GAP + 2 * _MARGIN, top + 2 * _MARGIN
    night = f"@media (prefers-color-scheme: dark) {{ {_style(DARK)} }}"
    return svg(
        width,
        height,
        tag("style", Markup(f"{_style(LIGHT)}{night}")),
        tag("rect", width="100%", height="100%", class_="back"),
        tag("g", *header, *children, transform=f"translate({_MARGIN} {_MARGIN})"),
        xmlns="http://www.w3.org/2000/svg",
        width=width,
        height=height,
    )


def page(panels: Sequence[Panel], x: str) -> str:
    """All panels on one page of HTML, with the last numbers as a table."""
    runs = _runs(panels)
    names = [tag("span", tag("i", class_=f"swatch k{s.colour % _COLOURS}"), run) for run, s in runs.items()]
    cards = [tag("div", svg(WIDTH, height, drawn), class_="card") for drawn, height in _panels(panels, x)]
    body = [
        tag("h1", ", ".join(runs)),
        tag("p", f"Curves of training, against {_AGAINST[x]}.", class_="soft"),
        tag("p", *names, class_="legend") if len(runs) > 1 else Markup(""),
        tag("div", *cards, class_="grid curves"),
        tag("h2", "Last numbers"),
        tag("div", tag("div", _table(panels, list(runs)), class_="scroll"), class_="card wide"),
        tag("footer", f"written by foretrace {__version__}"),
    ]
    variables = {name: f"var(--{name})" for name in LIGHT}
    head = join(
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{', '.join(runs)} · training"),
        tag("style", STYLE, Markup(f"{_style(variables)} .curves {{ margin-top: 20px; }}")),
    )
    return f"<!doctype html>\n{tag('html', tag('head', head), tag('body', tag('main', *body)), lang='en')}\n"


def _panels(panels: Sequence[Panel], x: str) -> list[tuple[Markup, float]]:
    everything = np.concatenate([series.x for panel in panels for series in panel.series])
    unit, show = duration_unit(float(everything.max())) if x == "seconds" else (1.0, short)
    axis = Axis.across(everything, unit)
    legend = len(_runs(panels)) == 1
    return [draw(panel, axis, show, legend=legend) for panel in panels]


def _runs(panels: Sequence[Panel]) -> dict[str, Series]:
    """Names of the runs, each with a curve that has its colour."""
    return {series.run: series for panel in panels for series in panel.series}


def _table(panels: Sequence[Panel], runs: Sequence[str]) -> Markup:
    rows = [tag("tr", *(tag("th", name) for name in ("", *runs)))]
    for panel in panels:
        show = percent if panel.is_share else number
        for part in dict.fromkeys(s.part for s in panel.series):
            last = {s.run: show(s.last) for s in panel.series if s.part == part}
            name = f"{panel.title} · {part}" if part and part not in panel.title else panel.title
            rows.append(tag("tr", tag("td", name), *(tag("td", last.get(run, "")) for run in runs)))
    return tag("table", *rows)


def _style(colours: Mapping[str, str]) -> str:
    """Rules for curves; `colours` has `ink`, `soft`, `line`, `card` and `k0` to `k5`."""
    strokes = "".join(f".s{n} {{ stroke: {colours[f'k{n}']}; }}" for n in range(_COLOURS))
    dashes = "".join(f".d{n} {{ stroke-dasharray: {dash}; }}" for n, dash in enumerate(_DASHES) if dash)
    return (
        ".curve, .dot { fill: none; stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: round; }"
        ".dot { stroke-width: 4.5; stroke-dasharray: none; } .faint { opacity: .3; stroke-width: 1; }"
        f".back {{ fill: {colours['card']}; }} line.grid {{ stroke: {colours['line']}; }}"
        f"line.moment {{ stroke-dasharray: 3 3; opacity: .6; }} .moment {{ stroke: {colours['ink']}; }}{strokes}{dashes}"
        f"text {{ fill: {colours['soft']}; font: 11.5px {_FONTS}; }}"
        f"text.name {{ fill: {colours['ink']}; font-weight: 600; }}"
        f"text.heading {{ fill: {colours['ink']}; font-size: 15px; font-weight: 600; }}"
    )
