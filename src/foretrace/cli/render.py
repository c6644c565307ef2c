"""Traces and differences for people.

A frame holds the state before its line runs, and readers expect a line's effect. So each line is shown with what has changed
by the next frame of its scope. Predicted values are italic and marked `⇢`, real ones `=`, disagreement `≠`: never by colour
alone.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from foretrace.trace import Diff, Event, Frame, Outcome, Trace

FOLD = 60
"""Longer traces show about this many steps: the first, the last, and those around the first divergence."""
AFTER = 3
"""Steps shown after control flow has diverged: from there on nothing can agree but by chance."""
UNBOUND = "(unbound)"
PIPE_WIDTH = 120
_MARKS = {Event.CALL: "→ ", Event.RETURN: "← ", Event.EXCEPTION: "! "}
_GAP = 2

Effect = dict[str, str]


def make_console() -> Console:
    """A console for results; colour honours NO_COLOR and non-terminals, width the terminal or COLUMNS."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(width=width, highlight=False, emoji=False, markup=False)


def effects(frames: Sequence[Frame]) -> list[Effect]:
    """What each step brought about: arguments of a call, locals that a line changed, a value that was returned or raised."""
    changed: list[Effect] = [{} for _ in frames]
    last: dict[int, int] = {}
    for index, frame in enumerate(frames):
        if frame.value is not None:
            changed[index] = {frame.event.value: frame.value}
        elif frame.event is Event.CALL:
            changed[index], last[frame.depth] = dict(frame.state), index
        else:
            if frame.depth in last:
                changed[last[frame.depth]] |= _change(frames[last[frame.depth]].state, frame.state)
            last[frame.depth] = index
    return changed


def _change(before: Effect, after: Effect) -> Effect:
    gone = dict.fromkeys((name for name in before if name not in after), UNBOUND)
    return {name: text for name, text in after.items() if before.get(name) != text} | gone


# ---------------------------------------------------------------------------------------------------
# One trace


def print_trace(console: Console, trace: Trace) -> None:
    """One line a step, then how it ended."""
    sign, style = ("⇢", "italic") if trace.header.kind == "predicted" else ("=", "")
    changed = effects(trace.frames)

    def row(index: int) -> _Row:  # a trace may have millions, and few are shown
        return _Row(index, trace.frames[index], [Text(_effect(changed[index], sign), style=style)])

    _print_title(console, trace, trace.header.model)
    _print_rows(console, ("effect",), len(trace), row, focus=0)
    console.print(_ending(trace, sign))


def _ending(trace: Trace, sign: str) -> Text:
    header = trace.header
    if header.outcome is Outcome.RETURNED:
        return Text(f"  returns {sign} {trace.result}", style="bold")
    if header.outcome is Outcome.RAISED:
        return Text(f"  raises {sign} {trace.exception}", style="bold yellow")
    return Text(f"  stopped after {len(trace)} steps: {header.detail}", style="bold yellow")


# ---------------------------------------------------------------------------------------------------
# Two traces


def print_diff(console: Console, difference: Diff, predicted: Trace, real: Trace) -> None:
    """Prediction and reality side by side, and a summary line."""
    rows = list(_diff_rows(predicted, real))
    lost = next((d.step for d in difference.divergences if d.kind != "value" and d.variable is None), len(rows))
    seen = next((row.index for row in rows if row.wrong), 0)
    _print_title(console, real, predicted.header.model)
    _print_rows(console, ("predicted", "real"), len(rows), rows.__getitem__, focus=seen, end=lost + AFTER + 1)
    console.print(summary(difference, seen))


def summary(difference: Diff, seen: int | None = None) -> Text:
    """`41/41 lines right · 104/117 values right · first divergence: step 23, value, n`.

    Args:
        seen: the step whose effect first differs; it is named if it is not the divergence's own.

    """
    text = Text(f"  {difference.lines_right}/{difference.lines} lines right · ")
    text.append(f"{difference.values_right}/{difference.values} values right · ")
    first = difference.first
    if first is None:
        return text.append("right throughout", style="bold green")
    about = f"step {first.step}, {first.kind}" + (f", {first.variable}" if first.kind == "value" else "")
    cause = f" (left by step {seen})" if first.kind == "value" and seen not in (None, first.step) else ""
    return text.append(f"first divergence: {about}{cause}", style="bold red")


def _diff_rows(predicted: Trace, real: Trace) -> Iterator["_Row"]:
    ours, theirs = effects(predicted.frames), effects(real.frames)
    for index in range(max(len(predicted), len(real))):
        left = predicted.frames[index] if index < len(predicted) else None
        right = real.frames[index] if index < len(real) else None
        if left and right and (left.event, left.source) == (right.event, right.source):
            yield _Row(index, right, *_compared(ours[index], theirs[index]))
        elif right:
            why = predicted.header.detail if index == len(predicted) else ""
            yield _Row(index, right, [_step(left, why), Text(_effect(theirs[index], "="))], wrong=True)
        elif left:
            yield _Row(index, left, [Text(_effect(ours[index], "⇢"), style="italic red"), _step(None)], wrong=True)


def _compared(ours: Effect, theirs: Effect) -> tuple[list[Text], bool]:
    """The cells of a step that both took, and whether they differ."""
    if ours == theirs:
        return [Text(_effect(ours, "⇢"), style="italic"), Text("=" if ours else "", style="dim")], False
    names = [n for n in dict.fromkeys([*theirs, *ours]) if ours.get(n) != theirs.get(n)]
    left = {n: ours.get(n, "(unchanged)") for n in names}
    right = {n: theirs.get(n, "(unchanged)") for n in names}
    return [Text(_effect(left, "⇢"), style="italic red"), Text(_effect(right, "="))], True


def _step(frame: Frame | None, why: str = "") -> Text:
    """What was predicted instead of the line in the column `source`; `why` nothing was, if it was cut short."""
    if frame is None:
        return Text(f"(stopped: {why})" if why else "(ended)", style="dim")
    what = frame.value if frame.value is not None else frame.source.strip()
    return Text(f"{frame.event} {what}" + (" (not in the file)" if frame.ghost else ""), style="italic red")


def _effect(effect: Effect, sign: str) -> str:
    return ", ".join(f"{name} {sign} {text}" for name, text in effect.items())


# ---------------------------------------------------------------------------------------------------
# Tables


@dataclass(frozen=True, slots=True)
class _Row:
    """One step: where, and a cell for each trace."""

    index: int
    frame: Frame
    cells: list[Text]
    wrong: bool = False

    @property
    def source(self) -> Text:
        """The source line under its depth, calls, returns and exceptions marked."""
        return Text("  " * min(self.frame.depth, 8) + _MARKS.get(self.frame.event, "  ") + self.frame.source.strip())


def _print_rows(
    console: Console, names: tuple[str, ...], count: int, row: Callable[[int], _Row], *, focus: int, end: int | None = None
) -> None:
    shown = [row(at) if isinstance(at, int) else at for at in _fold(count, focus, end)]
    kept = [row for row in shown if isinstance(row, _Row)]
    columns = [[row.source for row in kept], *([row.cells[i] for row in kept] for i in range(len(names)))]
    natural = [max((cell_len(text.plain) for text in column), default=0) for column in columns]
    fixed = (4, 5, 1)
    room = console.width - sum(fixed) - _GAP * (len(fixed) + len(natural))
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    for name, width in zip(("step", "line", ""), fixed, strict=True):
        table.add_column(name, width=width, justify="right")
    for name, width in zip(("source", *names), _share(natural, room), strict=True):
        table.add_column(name, width=max(width, len(name)), no_wrap=True, overflow="ellipsis")
    for step in shown:
        if isinstance(step, _Row):
            sign, line = Text("≠" if step.wrong else "", style="bold red"), step.frame.line or "–"
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


def _print_title(console: Console, trace: Trace, model: str | None) -> None:
    header = trace.header
    call = ", ".join(f"{name}={text}" for name, text in header.arguments.items())
    text = Text(f"{header.path}::{header.entry}({call})", style="bold")
    text.append(f"   model {model}" if model else "", style="not bold dim")
    console.print(text, no_wrap=True, overflow="ellipsis")
