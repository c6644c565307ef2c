"""A table of steps: where each is, and cells for what it did. Long ones are folded, and no line is wider than the terminal.

    print_steps(console, ("predicted", "real"), len(trace), row, focus=23)

Only the rows that are shown are made.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from foretrace.trace import Event, Frame

FOLD = 60
"""Longer tables show about this many steps: the first, the last, and those around the focus."""
_MARKS = {Event.CALL: "→ ", Event.RETURN: "← ", Event.EXCEPTION: "! "}
_GAP = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One step: where it is, and a cell for each further column."""

    index: int
    frame: Frame
    cells: list[Text]
    mark: str = ""
    """One character before the source: `≠` where prediction and reality differ, `~` where the line is imagined, `…` where
    steps before it were left out.
    """

    @property
    def source(self) -> Text:
        """The source line under its depth, calls, returns and exceptions marked."""
        return Text("  " * min(self.frame.depth, 8) + _MARKS.get(self.frame.event, "  ") + self.frame.source.strip())


def print_steps(
    console: Console, names: Sequence[str], count: int, row: Callable[[int], Row], *, focus: int, end: int | None = None
) -> None:
    """Prints the table.

    Args:
        console: says how wide it may be.
        names: of the columns after the source.
        count: of the steps.
        row: makes one.
        focus: a step that is shown in any case, with those around it.
        end: steps from here on are only counted.

    """
    shown = [row(at) if isinstance(at, int) else at for at in _fold(count, focus, end)]
    kept = [row for row in shown if isinstance(row, Row)]
    columns = [[row.source for row in kept], *([row.cells[i] for row in kept] for i in range(len(names)))]
    natural = [max((cell_len(text.plain) for text in column), default=0) for column in columns]
    natural = [max(width, len(name)) for width, name in zip(natural, ("source", *names), strict=True)]
    fixed = (4, 5, 1)
    room = console.width - sum(fixed) - _GAP * (len(fixed) + len(natural))
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    for name, width in zip(("step", "line", ""), fixed, strict=True):
        table.add_column(name, width=width, justify="right")
    for name, width in zip(("source", *names), _share(natural, room), strict=True):
        table.add_column(name, width=width, no_wrap=True, overflow="ellipsis")
    for step in shown:
        if isinstance(step, Row):
            sign, line = Text(step.mark, style="bold red"), step.frame.line or "–"
            table.add_row(str(step.index), str(line), sign, step.source, *step.cells)
        else:
            table.add_row("…", "", "", Text(step, style="dim"))
    console.print(table)


def _fold(total: int, focus: int, end: int | None) -> Iterator[int | str]:
    """Which rows to show, and a note for each gap. What follows `end` is left out."""
    count = total if end is None else min(end, total)
    third = FOLD // 3
    hidden = 0
    for index in range(count):
        if count <= FOLD or index < third or index >= count - third or abs(index - focus) <= third // 2:
            if hidden:
                yield f"({hidden} steps)"
            hidden = 0
            yield index
        else:
            hidden += 1
    if count < total:
        yield f"({total - count} more steps)"


def _share(natural: Sequence[int], room: int) -> list[int]:
    """Widths for columns that want `natural` cells: narrow ones get all they want, the others equal parts of the rest."""
    widths = list(natural)
    open_columns = sorted(range(len(natural)), key=lambda i: natural[i])
    while open_columns:
        column = open_columns.pop(0)
        widths[column] = max(1, min(natural[column], room // (len(open_columns) + 1)))
        room -= widths[column]
    return widths
