"""Traces and differences for people.

    print_trace(make_console(), trace)
    print_diff(make_console(), diff(predicted, real), predicted, real)

Predicted values are italic and marked `⇢`, real ones `=`, disagreement `≠`: never by colour alone. A column of dots says how
sure predicted values are, where somebody can tell (`sureness.py`).
"""

import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence

from rich.console import Console
from rich.text import Text

from foretrace.cli.effects import Effect, effects
from foretrace.cli.step_table import Row, print_steps
from foretrace.trace import Diff, Frame, Outcome, Trace

AFTER = 3
"""Steps shown after control flow has diverged: from there on nothing can agree but by chance."""
PIPE_WIDTH = 120

Dots = Callable[[int, Collection[str]], str]
"""How sure the effect of a step is, from its number and the names that it changes."""


def make_console() -> Console:
    """A console for results; colour honours NO_COLOR and non-terminals, width the terminal or COLUMNS."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(width=width, highlight=False, emoji=False, markup=False)


# ---------------------------------------------------------------------------------------------------
# One trace


def print_trace(
    console: Console,
    trace: Trace,
    *,
    model: str | None = None,
    sure: Dots | None = None,
    mark: Callable[[int], str] = lambda step: "",
    note: str = "",
) -> None:
    """One line a step, then how it ended.

    Args:
        console: for results.
        trace: real or predicted.
        model: what it is called, if not by the name in the header.
        sure: fills a column of dots.
        mark: one character before the source of a step.
        note: is said after how it ended.

    """
    sign, style = ("⇢", "italic") if trace.header.kind == "predicted" else ("=", "")
    changed = effects(trace.frames)

    def row(index: int) -> Row:  # a trace may have millions, and few are shown
        frame = trace.frames[index]
        cells = [Text(effect_text(changed[index], sign), style=style)]
        cells += [Text(sure(index, changed[index]))] if sure else []
        return Row(index, frame, cells, mark(index))

    print_title(console, trace, model or trace.header.model)
    print_steps(console, ("effect", "sure") if sure else ("effect",), len(trace), row, focus=0)
    console.print(ending(trace).append(note, style="not bold default"), soft_wrap=bool(note))


def ending(trace: Trace) -> Text:
    """How the call ended: `returns ⇢ 3`."""
    header, sign = trace.header, "⇢" if trace.header.kind == "predicted" else "="
    if header.outcome is Outcome.RETURNED:
        return Text(f"  returns {sign} {trace.result}", style="bold")
    if header.outcome is Outcome.RAISED:
        return Text(f"  raises {sign} {trace.exception}", style="bold yellow")
    return Text(f"  stopped after {len(trace)} steps: {header.detail}", style="bold yellow")


# ---------------------------------------------------------------------------------------------------
# Two traces


def print_diff(
    console: Console,
    difference: Diff,
    predicted: Trace,
    real: Trace,
    *,
    model: str | None = None,
    sure: Dots | None = None,
    anchored: bool = False,
) -> None:
    """Prediction and reality side by side, and a summary line.

    Args:
        console: for results.
        difference: of the two traces.
        predicted: the left one.
        real: the right one.
        model: what it is called, if not by the name in the header.
        sure: fills a column of dots.
        anchored: whether each step was predicted from the real ones before it, so that an error has no consequences.

    """
    rows = list(_diff_rows(predicted, real, sure, anchored))
    lost = next((d.step for d in difference.divergences if d.kind != "value" and d.variable is None), len(rows))
    seen = next((row.index for row in rows if row.mark), 0)
    names = ("predicted", "real", *(("sure",) if sure else ()))
    end = None if anchored else lost + AFTER + 1
    print_title(console, real, model or predicted.header.model)
    print_steps(console, names, len(rows), rows.__getitem__, focus=seen, end=end)
    console.print(summary(difference, seen))


def summary(difference: Diff, seen: int | None = None) -> Text:
    """`41/41 lines right · 104/117 values right · first divergence: step 23, value, n`.

    Args:
        difference: of two traces.
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


def _diff_rows(predicted: Trace, real: Trace, sure: Dots | None, anchored: bool) -> Iterator[Row]:
    theirs = effects(real.frames)
    ours = effects(predicted.frames, _history(predicted.frames, real.frames) if anchored else None)
    for index in range(max(len(predicted), len(real))):
        left = predicted.frames[index] if index < len(predicted) else None
        right = real.frames[index] if index < len(real) else None
        dots = [Text(sure(index, ours[index]) if left else "")] if sure else []
        if left and right and (left.event, left.source) == (right.event, right.source):
            cells, wrong = _compared(ours[index], theirs[index])
            yield Row(index, right, [*cells, *dots], "≠" if wrong else "")
        elif right:
            why = predicted.header.detail if index == len(predicted) else ""
            yield Row(index, right, [_step(left, why), Text(effect_text(theirs[index], "=")), *dots], "≠")
        elif left:
            cells = [Text(effect_text(ours[index], "⇢"), style="italic red"), _step(None)]
            yield Row(index, left, [*cells, *dots], "≠")


def _history(predicted: Sequence[Frame], real: Sequence[Frame]) -> Sequence[Frame]:
    """What stood before each step of a re-anchored run."""
    return [*real[: len(predicted)], *predicted[len(real) :]]


def _compared(ours: Effect, theirs: Effect) -> tuple[list[Text], bool]:
    """The cells of a step that both took, and whether they differ."""
    if ours == theirs:
        return [Text(effect_text(ours, "⇢"), style="italic"), Text("=" if ours else "", style="dim")], False
    names = [n for n in dict.fromkeys([*theirs, *ours]) if ours.get(n) != theirs.get(n)]
    left = {n: ours.get(n, "(unchanged)") for n in names}
    right = {n: theirs.get(n, "(unchanged)") for n in names}
    return [Text(effect_text(left, "⇢"), style="italic red"), Text(effect_text(right, "="))], True


def _step(frame: Frame | None, why: str = "") -> Text:
    """What was predicted instead of the line in the column `source`; `why` nothing was, if it was cut short."""
    if frame is None:
        return Text(f"(stopped: {why})" if why else "(ended)", style="dim")
    what = frame.value if frame.value is not None else frame.source.strip()
    return Text(f"{frame.event} {what}" + (" (not in the file)" if frame.ghost else ""), style="italic red")


def effect_text(effect: Effect, sign: str) -> str:
    """`n ⇢ 2, c ⇢ 'a'`."""
    return ", ".join(f"{name} {sign} {text}" for name, text in effect.items())


def print_title(console: Console, trace: Trace, model: str | None) -> None:
    """What is called, and by what it is predicted."""
    header = trace.header
    call = ", ".join(f"{name}={text}" for name, text in header.arguments.items())
    text = Text(f"{header.path}::{header.entry}({call})", style="bold")
    text.append(f"   model {model}" if model else "", style="not bold dim")
    console.print(text, no_wrap=True, overflow="ellipsis")
