"""Prediction against reality: the first divergence, its kind, and how much was right.

    difference = diff(predicted, real)
    difference.first        # Divergence(step=23, kind='value', variable='n', predicted='2', real='3', …)

Frames are compared one to one, as a prediction that has gone astray has lost its place in time too. Kinds:
`line` (another line or event), `ghost` (a line that is not in the source), `value` (a local), `return`, `exception` (their
value, or one where the other happened), `length` (one ends while the other goes on), `format` (unparsable text).
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from foretrace.trace.types import Event, Frame, Trace


@dataclass(frozen=True, slots=True)
class Divergence:
    """One disagreement."""

    step: int
    """Index of the frame, 0 being the first call."""
    kind: str
    line: int
    """Line of the real frame, or of the predicted one where reality has ended."""
    variable: str | None
    predicted: str | None
    real: str | None


@dataclass(frozen=True, slots=True)
class Diff:
    """All disagreements of two traces."""

    divergences: tuple[Divergence, ...]
    predicted_steps: int
    real_steps: int
    lines_right: int
    lines: int
    values_right: int
    values: int

    @property
    def agrees(self) -> bool:
        """Whether the prediction is right throughout."""
        return not self.divergences

    @property
    def first(self) -> Divergence | None:
        """The earliest divergence."""
        return self.divergences[0] if self.divergences else None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        first = asdict(self.first) if self.first else None
        return {
            "v": 1,
            "agrees": self.agrees,
            "first": first,
            "predicted_steps": self.predicted_steps,
            "real_steps": self.real_steps,
            "lines": [self.lines_right, self.lines],
            "values": [self.values_right, self.values],
            "divergences": [asdict(d) for d in self.divergences],
        }


def diff(predicted: Trace, real: Trace) -> Diff:
    """Compares two traces of the same call. Counts are of the real trace's lines and values."""
    found: list[Divergence] = []
    lines_right = values_right = 0
    for step, (ours, theirs) in enumerate(zip(predicted.frames, real.frames, strict=False)):
        here = list(_frame(step, ours, theirs))
        found += here
        same_line = not any(d.kind in ("line", "ghost") or (d.variable is None and d.kind == "exception") for d in here)
        lines_right += same_line
        values_right += _values(theirs) - sum(d.real is not None for d in here) if same_line else 0
    if not _longer(predicted, real, found):
        _ending(predicted, real, found)
    return Diff(
        tuple(found),
        len(predicted),
        len(real),
        lines_right,
        len(real),
        max(values_right, 0),
        sum(map(_values, real.frames)),
    )


def _frame(step: int, ours: Frame, theirs: Frame) -> Iterator[Divergence]:
    """The divergences of one step."""
    elsewhere = ours.line != theirs.line and ours.line > 0 and theirs.line > 0
    if ours.event is not theirs.event or ours.source != theirs.source or elsewhere:
        kind = "ghost" if ours.ghost else "line"
        if ours.source == theirs.source and not elsewhere and Event.EXCEPTION in (ours.event, theirs.event):
            kind = "exception"
        yield Divergence(step, kind, theirs.line, None, _what(ours), _what(theirs))
        return
    if theirs.value is not None or ours.value is not None:
        if ours.value != theirs.value:
            yield Divergence(step, theirs.event.value, theirs.line, "value", ours.value, theirs.value)
        return
    for name in dict.fromkeys([*theirs.state, *ours.state]):
        predicted, real = ours.state.get(name), theirs.state.get(name)
        if predicted != real:
            yield Divergence(step, "value", theirs.line, name, predicted, real)


def _longer(predicted: Trace, real: Trace, found: list[Divergence]) -> bool:
    """Notes that one trace goes on where the other has ended."""
    step = min(len(predicted), len(real))
    if len(predicted) == len(real):
        return False
    ours = _what(predicted.frames[step]) if len(predicted) > step else None
    theirs = _what(real.frames[step]) if len(real) > step else None
    longer = real if len(real) > step else predicted
    kind = "format" if ours is None and predicted.header.detail.startswith("format") else "length"
    found.append(Divergence(step, kind, longer.frames[step].line, None, ours or predicted.header.detail or None, theirs))
    return True


def _ending(predicted: Trace, real: Trace, found: list[Divergence]) -> None:
    """Traces of equal length may still end differently: one was cut off there."""
    ours, theirs = predicted.header, real.header
    if ours.outcome is not theirs.outcome and not found:
        kind = "format" if ours.detail.startswith("format") else "length"
        line = real.frames[-1].line if real.frames else 0
        found.append(Divergence(len(real), kind, line, None, ours.detail or ours.outcome, theirs.detail or theirs.outcome))


def _values(frame: Frame) -> int:
    return len(frame.state) + (frame.value is not None)


def _what(frame: Frame) -> str:
    return f"{frame.event} {frame.source.strip()}"
