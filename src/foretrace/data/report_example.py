"""One trace of a dataset, as HTML to be read: the source beside what each step did."""

from collections.abc import Callable, Sequence
from typing import Any

from foretrace.data.markup import Markup, join, tag
from foretrace.errors import FormatError
from foretrace.trace import Event, Frame, Outcome, Trace, read_binary

Effects = Callable[[Sequence[Frame]], list[dict[str, str]]]
"""What each frame brought about: names and texts. Given by who wants a report, as `cli/render.py` has it."""

_STEPS, _LINES, _TEXT = 40, 60, 160
_MARKS = {Event.CALL: "→ ", Event.RETURN: "← ", Event.EXCEPTION: "! "}


def example(row: dict[str, Any], effects: Effects) -> Markup:
    """A row of the traces; one that is damaged says so."""
    try:
        trace = next(read_binary(row["trace"] or b""))
    except (FormatError, StopIteration) as error:
        return tag("div", tag("p", f"the trace {row['id']} is damaged: {str(error) or 'it is empty'}"), class_="card wide")
    place = f"{row['name']} {row['path']}" + (f":{row['line']}" if row["line"] else "")
    facts = f"{row['kind']} · {place} · licence {row['licence']} · {row['events']:,} events · {row['tokens']:,} tokens"
    call = f"{row['entry']}({_cut(row['arguments'] or '')})"
    return tag(
        "div",
        tag("p", tag("code", call), " ", _ending(trace), class_="call"),
        tag("p", facts, " · ", tag("code", row["id"][:12]), class_="facts"),
        tag("div", _source(trace), _steps(trace, effects), class_="example"),
        class_="card wide",
    )


def _ending(trace: Trace) -> Markup:
    if trace.header.outcome is Outcome.RETURNED:
        return tag("code", f"= {_cut(trace.result or '')}")
    if trace.header.outcome is Outcome.RAISED:
        return tag("code", f"raises {_cut(trace.exception or '')}", class_="raises")
    return tag("code", f"stopped: {trace.header.detail}", class_="raises")


def _source(trace: Trace) -> Markup:
    lines = trace.header.source.strip("\n").split("\n")
    numbered = [join(tag("i", str(number)), line[:_TEXT], "\n") for number, line in enumerate(lines[:_LINES], 1)]
    more = [tag("i", "…"), f"{len(lines) - _LINES:,} more lines"] if len(lines) > _LINES else []
    return tag("pre", *numbered, *more)


def _steps(trace: Trace, effects: Effects) -> Markup:
    changed = effects(trace.frames)
    rows = [tag("tr", *(tag("th", name) for name in ("step", "line", "source", "effect")))]
    hidden = max(len(trace) - _STEPS, 0)
    first = _STEPS * 3 // 4 if hidden else len(trace)
    for at, (frame, effect) in enumerate(zip(trace.frames, changed, strict=True)):
        if hidden and at == first:
            rows.append(tag("tr", tag("td", "…", class_="number"), tag("td"), tag("td", f"({hidden:,} steps)"), tag("td")))
        if at < first or at >= first + hidden:
            rows.append(_step(at, frame, effect))
    return tag("div", tag("table", *rows, class_="steps"), class_="scroll")


def _step(at: int, frame: Frame, effect: dict[str, str]) -> Markup:
    source = "  " * min(frame.depth, 8) + _MARKS.get(frame.event, "  ") + frame.source.strip()
    told = ", ".join(f"{name} = {_cut(text)}" for name, text in effect.items())
    return tag(
        "tr",
        tag("td", str(at), class_="number"),
        tag("td", str(frame.line), class_="number"),
        tag("td", _cut(source, 72), class_="code"),
        tag("td", _cut(told, 4 * _TEXT), class_="code effect"),
        class_="raised" if frame.event is Event.EXCEPTION else None,
    )


def _cut(text: str, length: int = _TEXT) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
