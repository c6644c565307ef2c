"""`foretrace train plot`."""

import math
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from foretrace.cli import options
from foretrace.cli.render import make_console
from foretrace.errors import UsageError
from foretrace.train.axes import Axis, number, percent
from foretrace.train.curves import Panel, Series, panels
from foretrace.train.figure import figure, page
from foretrace.train.history import X, read_runs

_BLOCKS = " ▁▂▃▄▅▆▇█"
_COLOURS = ("blue", "green", "yellow", "magenta", "red", "bright_black")
_WIDEST, _NARROWEST = 64, 12
_NUMBERS = 4 * 9 + 2  # cells for four numbers
_TALL = 6


@click.command(
    "plot",
    epilog="""\b
Examples:
  foretrace train plot runs/tiny
  foretrace train plot runs/tiny/midtrain runs/mine/midtrain -o curves.html --smooth 9
  foretrace train plot runs/tiny --metric loss,loss_by_kind --x seconds
""",
)
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A picture: .svg, .html or .png.  [default: text]",
)
@click.option("--x", type=click.Choice(X), default="tokens", show_default=True, help="What to draw against.")
@click.option("--metric", "metrics", default="", metavar="NAME,...", help="Only these.  [default: all that are recorded]")
@click.option(
    "--smooth", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Means over N records."
)
@options.as_json
def command(runs: tuple[Path, ...], output: Path | None, x: str, metrics: str, smooth: int, as_json: bool) -> None:
    """Draw what runs have recorded: losses, by source and kind of token, rate, gradients, speed, memory.

    RUN is the folder of a stage, the folder of a recipe (its stages follow each other), or a metrics.jsonl. Runs may be
    in progress. Several are drawn into one picture.
    """
    chosen = [name.strip() for name in metrics.split(",") if name.strip()]
    drawn = panels(read_runs(runs), x=x, metrics=chosen, smooth=smooth)
    if output is not None:
        _write(drawn, x, output)
    if as_json:
        for panel in drawn:
            for series in panel.series:
                options.write_json(
                    {"v": 1, "run": series.run, "metric": panel.metric, "part": series.part} | _points(series, x)
                )
    elif output is None:
        print_panels(make_console(), drawn, tall=bool(chosen))
    else:
        click.echo(f"written: {output}", err=True)


def _points(series: Series, x: str) -> dict[str, list[float | None]]:
    xs = [int(value) if value.is_integer() else value for value in series.x.tolist()]
    return {x: xs, "y": [None if math.isnan(y) else y for y in series.y.tolist()]}


def _write(drawn: Sequence[Panel], x: str, file: Path) -> None:
    kind = file.suffix.lower()
    if kind == ".svg":
        file.write_text(figure(drawn, x), encoding="utf-8")
    elif kind in (".html", ".htm"):
        file.write_text(page(drawn, x), encoding="utf-8")
    elif kind == ".png":
        file.write_bytes(_png(figure(drawn, x)))
    else:
        raise UsageError(f"{file}: a picture is an .svg, an .html or a .png; which one, the end of its name says")


def _png(picture: str) -> bytes:
    try:
        import resvg_py
    except ImportError as error:
        raise UsageError(
            "PNG pictures need resvg-py; install it with: pip install 'foretrace[plot]', or write an .svg or .html"
        ) from error
    return bytes(resvg_py.svg_to_bytes(svg_string=picture, zoom=2))


# ---------------------------------------------------------------------------------------------------
# At a terminal


def print_panels(console: Console, drawn: Sequence[Panel], *, tall: bool) -> None:
    """A curve a line with its first, least, greatest and last number.

    Args:
        console: gives the width.
        drawn: what to print.
        tall: whether each curve takes several lines.

    """
    several = len({series.run for panel in drawn for series in panel.series}) > 1
    names = [panel.title for panel in drawn] + [_name(series, several) for panel in drawn for series in panel.series]
    width = max(_NARROWEST, min(_WIDEST, console.width - max(map(len, names)) - _NUMBERS))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True)
    table.add_column("", width=width, no_wrap=True)
    for name in ("first", "least", "most", "last"):
        table.add_column(name, justify="right", no_wrap=True)
    ends = _ends(drawn)
    for panel in drawn:
        axis = Axis.of(np.concatenate([series.y for series in panel.series]), log=not panel.is_share)
        grouped = len(panel.series) > 1 or several
        if grouped:
            table.add_row(Text(panel.title, style="bold"))
        for series in panel.series:
            name = _name(series, several) if grouped else panel.title
            blocks = chart(series, axis, ends, width, _TALL if tall else 1)
            style = _COLOURS[series.colour % len(_COLOURS)]
            table.add_row(Text(name, style="" if grouped else "bold"), Text(blocks, style=style), *_numbers(panel, series))
    console.print(table)


def _name(series: Series, several: bool) -> str:
    return f"  {series.run if several else series.part}"


def _numbers(panel: Panel, series: Series) -> list[str]:
    show = percent if panel.is_share else number
    there = series.y[~np.isnan(series.y)]
    return [show(float(value)) for value in (there[0], there.min(), there.max(), there[-1])]


def _ends(drawn: Sequence[Panel]) -> tuple[float, float]:
    everything = np.concatenate([series.x for panel in drawn for series in panel.series])
    return float(everything.min()), float(everything.max())


def chart(series: Series, axis: Axis, ends: tuple[float, float], width: int, height: int) -> str:
    """Blocks as high as the means of a curve over `width` equal parts of the way between `ends`.

    A part without records shows what came before it; one whose records are all no numbers stays empty.
    """
    edges = np.searchsorted(series.x, np.linspace(*ends, width + 1)[1:-1], side="left")
    means, last = [], math.nan
    for part in np.split(series.y, edges):
        if len(part):
            last = math.nan if np.isnan(part).all() else float(np.nanmean(part))
        means.append(last)
    levels = axis.place(np.array(means)).clip(0, 1) * (8 * height - 1) + 1  # the least is still seen
    levels[np.linspace(*ends, width) > series.x[-1]] = math.nan
    rows = []
    for row in reversed(range(height)):
        eighths = [0 if math.isnan(level) else round(min(max(level - 8 * row, 0), 8)) for level in levels.tolist()]
        rows.append("".join(_BLOCKS[count] for count in eighths))
    return "\n".join(rows)
