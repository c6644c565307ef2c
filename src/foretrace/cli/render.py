"""Traces and differences for people.

Frames hold the state before a line runs; readers expect its effect. So each line is shown with what had changed by the next
frame of its scope. Predicted values are marked `⇢`, real ones `=`, disagreement `≠`: never by colour alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from foretrace.trace import Diff, Divergence, Event, Frame, Outcome, Trace

FOLD = 60
"""Longer traces show this many steps around what matters."""
AFTER = 3
"""Steps shown after control flow has diverged: from there on nothing can agree but by chance."""


def make_console(width: int | None = None) -> Console:
    """A console for results; colour honours NO_COLOR and non-terminals."""
    return Console(width=width, highlight=False, soft_wrap=False)


def effects(frames: Sequence[Frame]) -> list[dict[str, str]]:
    """What each frame's line changed: locals that differ in the next frame of the same scope, or the value."""
    changed: list[dict[str, str]] = [{} for _ in frames]
    last: dict[int, int] = {}
    for index, frame in enumerate(frames):
        if frame.event is Event.CALL:
            last[frame.depth] = index
            changed[index] = dict(frame.state)
        elif frame.event is Event.LINE:
            before = last.get(frame.depth)
            if before is not None and frames[before].locals is not None:
                known = frames[before].state
                new = {n: t for n, t in frame.state.items() if known.get(n) != t}
                if frames[before].event is Event.LINE:
                    changed[before] |= new
            last[frame.depth] = index
        elif frame.value is not None:
            changed[index] = {frame.event.value: frame.value}
    return changed


def print_trace(console: Console, trace: Trace) -> None:
    """One line a step, then how it ended."""
    console.print(_title(trace))
    sign = "⇢" if trace.header.kind == "predicted" else "="
    style = "italic" if sign == "⇢" else ""
    table = _table("step", "line", "source", "effect")
    for index, (frame, effect) in enumerate(zip(trace.frames, effects(trace.frames), strict=True)):
        if not _folded(index, len(trace), 0):
            shown = Text(", ".join(f"{n} {sign} {t}" for n, t in effect.items()), style=style)
            table.add_row(str(index), str(frame.line) if frame.line else "ghost", _source(frame), shown)
        elif not _folded(index - 1, len(trace), 0):
            table.add_row("…", "", f"{len(trace) - FOLD} steps not shown", "")
    console.print(table)
    console.print(ending(trace))


def print_diff(console: Console, difference: Diff, predicted: Trace, real: Trace) -> None:
    """Prediction and reality side by side, and a summary line."""
    console.print(_title(predicted))
    table = _table("step", "line", "", "source", "predicted", "real")
    focus = difference.first.step if difference.first else 0
    rows = list(_diff_rows(difference, predicted, real))
    lost = difference.first is not None and difference.first.kind != "value"
    for index, row in enumerate(rows):
        if lost and index > focus + AFTER:
            table.add_row("…", "", "", f"{len(rows) - index} more steps: the prediction has lost its way", "", "")
            break
        if not _folded(index, len(rows), focus):
            table.add_row(str(index), str(row.line) if row.line else "ghost", row.sign, row.source, row.predicted, row.real)
        elif not _folded(index - 1, len(rows), focus):
            table.add_row("…", "", "", "steps not shown", "", "")
    console.print(table)
    console.print(summary(difference))


def summary(difference: Diff) -> Text:
    """`41/41 lines right · 104/117 values right · first divergence: step 23, value, n`."""
    text = Text(f"  {difference.lines_right}/{difference.lines} lines right · ")
    text.append(f"{difference.values_right}/{difference.values} values right · ")
    first = difference.first
    if first is None:
        return text.append("the prediction is right throughout", style="bold green")
    about = f"step {first.step}, {first.kind}" + (f", {first.variable}" if first.variable else "")
    return text.append(f"first divergence: {about}", style="bold red")


def ending(trace: Trace) -> Text:
    """How a trace ended."""
    header = trace.header
    sign = "⇢" if header.kind == "predicted" else "="
    if header.outcome is Outcome.RETURNED:
        return Text(f"  returns {sign} {trace.result}", style="bold")
    if header.outcome is Outcome.RAISED:
        return Text(f"  raises {sign} {trace.exception}", style="bold yellow")
    return Text(f"  stopped after {len(trace)} steps: {header.detail}", style="bold yellow")


@dataclass(slots=True)
class _Row:
    line: int
    sign: Text
    source: Text
    predicted: Text
    real: Text


def _diff_rows(difference: Diff, predicted: Trace, real: Trace) -> Iterator[_Row]:
    by_step: dict[int, list[Divergence]] = {}
    for divergence in difference.divergences:
        by_step.setdefault(divergence.step, []).append(divergence)
    for step in range(max(len(predicted), len(real))):
        ours = predicted.frames[step] if step < len(predicted) else None
        theirs = real.frames[step] if step < len(real) else None
        shown = theirs or ours
        assert shown is not None
        wrong = by_step.get(step, [])
        sign = Text("≠" if wrong else " ", style="bold red")
        left, right = _cell(ours, theirs, wrong, "⇢", "italic"), _cell(theirs, ours, wrong, "=", "")
        if not wrong:
            right = Text("=", style="dim") if right.plain else right
        yield _Row(shown.line, sign, _source(shown), left, right)


def _cell(frame: Frame | None, other: Frame | None, wrong: list[Divergence], sign: str, style: str) -> Text:
    """A frame's own differing values; where all agrees, its value if it has one."""
    if frame is None:
        return Text("(ended)", style="dim")
    if other is None or frame.event is not other.event or frame.source != other.source:
        return Text(f"{frame.event} {frame.source.strip()}", style="red")
    if frame.value is not None:
        return Text(f"{sign} {frame.value}", style=f"{style} red".strip() if wrong else style)
    names = [d.variable for d in wrong if d.variable]
    parts = [f"{n} {sign} {frame.state.get(n, '(unbound)')}" for n in names]
    return Text(", ".join(parts), style=f"{style} red".strip())


def _folded(index: int, count: int, focus: int) -> bool:
    """Whether a step of a long trace is left out: kept are the start and the surroundings of `focus`."""
    if count <= FOLD or index < 0:
        return False
    near = abs(index - focus) < FOLD // 4
    return not (near or index < FOLD // 2 or index >= count - FOLD // 4)


def _source(frame: Frame) -> Text:
    indent = "  " * frame.depth
    mark = {Event.CALL: "→ ", Event.RETURN: "← ", Event.EXCEPTION: "! "}.get(frame.event, "  ")
    return Text(indent + mark + frame.source.strip())


def _title(trace: Trace) -> Text:
    header = trace.header
    call = ", ".join(f"{n}={t}" for n, t in header.arguments.items())
    text = Text(f"{header.path}::{header.entry}({call})", style="bold")
    return text.append(f"   model {header.model}" if header.model else "", style="not bold dim")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    widths = {"step": 4, "line": 5, "": 1}
    for name in columns:
        narrow = widths.get(name)
        justify: Literal["left", "right"] = "right" if narrow else "left"
        ratio = None if narrow else 3 if name == "source" else 2
        table.add_column(name, no_wrap=True, overflow="ellipsis", justify=justify, width=narrow, ratio=ratio)
    return table
