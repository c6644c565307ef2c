"""Where a run stops: at a line, when a value changes, and at what a prediction can do: raise, be wrong, be unsure.

    breakpoints = Breakpoints(source)
    number = breakpoints.add(Breakpoint(line=4, condition="n > 2", hits=">= 3"))
    breakpoints.add(DataBreakpoint(name="n", function="count_letters"))
    breakpoints.filters = Filters(divergence=True, confidence=0.8)
    breakpoints.check(moment)            # Stop or None

Whether one is hit depends on the branch and the step, not on how one came there: a run stops at the same steps forwards
and backwards.
"""

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from foretrace.debug.expressions import Expression
from foretrace.debug.timeline import Timeline
from foretrace.debug.types import Reason, Stop
from foretrace.errors import UsageError
from foretrace.trace import Event, Frame

_HITS = re.compile(r"\s*(==|>=|>|%|)\s*(\d{1,9})\s*")
_COUNTS: dict[str, Callable[[int, int], bool]] = {
    "": lambda hit, number: hit == number,
    "==": lambda hit, number: hit == number,
    ">=": lambda hit, number: hit >= number,
    ">": lambda hit, number: hit > number,
    "%": lambda hit, number: number > 0 and hit % number == 0,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Breakpoint:
    """Stops when a line is about to run, or the function is entered whose `def` stands there."""

    line: int
    condition: str = ""
    """An expression over the locals. Where it has no value, as a name is not bound, it does not hold."""
    hits: str = ""
    """Which visits count, the condition holding: `3` or `== 3` (the third), `>= 3`, `> 3`, `% 3` (every third)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DataBreakpoint:
    """Stops after a line that changed a local, bound it or unbound it. What a call begins with is no change."""

    name: str
    function: str = ""
    """The qualified name of the function whose local it is; empty: any."""
    condition: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    """What else stops a run."""

    exception: bool = False
    """An exception is predicted; once, where it is raised."""
    divergence: bool = False
    """A slip: the prediction is wrong, and was right before. Needs reality."""
    confidence: float | None = None
    """A value that changes is less sure than this. Needs a `Judge`."""

    def __post_init__(self) -> None:
        if self.confidence is not None and not 0 <= self.confidence <= 1:
            raise UsageError(f"a confidence is between 0 and 1, not {self.confidence}")


class Place(Protocol):
    """What a breakpoint asks about a step."""

    @property
    def position(self) -> int:
        """Its number."""

    @property
    def timeline(self) -> Timeline:
        """The steps of its branch."""

    @property
    def is_slip(self) -> bool:
        """Whether the prediction goes wrong here."""

    @property
    def sure(self) -> float | None:
        """The least sure of the values that change here; None if that is not known."""


class Breakpoints:
    """Those of one session."""

    def __init__(self, source: str) -> None:
        self._lines = source.count("\n") + 1
        self._next = 1
        self._conditions: dict[int, Expression | None] = {}
        self._hits: dict[tuple[int, Timeline], _Hits] = {}
        self.items: dict[int, Breakpoint | DataBreakpoint] = {}
        """By number, in the order in which they were added."""
        self.filters = Filters()

    def add(self, breakpoint_: Breakpoint | DataBreakpoint) -> int:
        """Adds one; returns its number.

        Raises:
            UsageError: there is no such line, or the condition or the hits cannot be read.

        """
        if isinstance(breakpoint_, Breakpoint):
            if not 1 <= breakpoint_.line <= self._lines:
                raise UsageError(f"there is no line {breakpoint_.line}; the source has {self._lines}")
            if breakpoint_.hits and not _HITS.fullmatch(breakpoint_.hits):
                raise UsageError(f"{breakpoint_.hits!r} says no number of hits; write 3, == 3, >= 3, > 3 or % 3")
        condition = Expression(breakpoint_.condition) if breakpoint_.condition.strip() else None
        number, self._next = self._next, self._next + 1
        self.items[number], self._conditions[number] = breakpoint_, condition
        return number

    def remove(self, number: int) -> None:
        """Removes one.

        Raises:
            UsageError: there is none of that number.

        """
        if number not in self.items:
            raise UsageError(
                f"there is no breakpoint {number}; those there are: {', '.join(map(str, self.items)) or 'none'}"
            )
        del self.items[number], self._conditions[number]
        self._hits = {key: hits for key, hits in self._hits.items() if key[0] != number}

    def clear(self) -> None:
        """Removes all; the filters stay."""
        for number in list(self.items):
            self.remove(number)

    def check(self, place: Place) -> Stop | None:
        """Whether a run stops at a step, and why."""
        timeline, position = place.timeline, place.position
        hit = [number for number in self.items if self._is_hit(number, timeline, position)]
        if hit:
            lines = any(isinstance(self.items[number], Breakpoint) for number in hit)
            detail = "; ".join(filter(None, (self._change(number, timeline, position) for number in hit)))
            return Stop(Reason.BREAKPOINT if lines else Reason.DATA, position, detail, tuple(hit))
        filters, frame = self.filters, timeline.frames[position]
        if filters.exception and raises_anew(timeline, position):
            return Stop(Reason.EXCEPTION, position, frame.value or "")
        if filters.divergence and place.is_slip:
            return Stop(Reason.DIVERGENCE, position)
        if filters.confidence is not None and (sure := place.sure) is not None and sure < filters.confidence:
            return Stop(Reason.CONFIDENCE, position, f"{sure:.2f}")
        return None

    def to_dicts(self) -> list[dict[str, Any]]:
        """For JSON: number, fields and whether it is a data breakpoint."""
        return [
            {"number": number, "kind": "line" if isinstance(item, Breakpoint) else "data"}
            | {name: getattr(item, name) for name in item.__dataclass_fields__}
            for number, item in self.items.items()
        ]

    def _is_hit(self, number: int, timeline: Timeline, position: int) -> bool:
        if not self._matches(number, timeline, position):
            return False
        item = self.items[number]
        if not isinstance(item, Breakpoint) or not (match := _HITS.fullmatch(item.hits)):
            return True
        hits = self._hits.setdefault((number, timeline), _Hits())
        return _COUNTS[match[1]](hits.rank(position, lambda at: self._matches(number, timeline, at)), int(match[2]))

    def _matches(self, number: int, timeline: Timeline, position: int) -> bool:
        """Whether a step is where the breakpoint is, and its condition holds."""
        frame, item, condition = timeline.frames[position], self.items[number], self._conditions[number]
        if isinstance(item, Breakpoint):
            there = frame.line == item.line and frame.locals is not None
        else:
            there = item.function in ("", frame.function) and changed(timeline, position, item.name) is not None
        return there and (condition is None or condition.holds(frame.state))

    def _change(self, number: int, timeline: Timeline, position: int) -> str:
        item = self.items[number]
        change = changed(timeline, position, item.name) if isinstance(item, DataBreakpoint) else None
        if change is None:
            return ""
        before, after = ("unbound" if text is None else text for text in change)
        return f"{item.name}: {before} → {after}" if isinstance(item, DataBreakpoint) else ""


class _Hits:
    """The steps of one branch at which one breakpoint matches, as far as it was looked."""

    def __init__(self) -> None:
        self._positions: list[int] = []
        self._seen = 0

    def rank(self, position: int, matches: Callable[[int], bool]) -> int:
        """How many there are up to `position`."""
        self._positions += [at for at in range(self._seen, position + 1) if matches(at)]
        self._seen = max(self._seen, position + 1)
        return bisect_right(self._positions, position)


def changed(timeline: Timeline, position: int, name: str) -> tuple[str | None, str | None] | None:
    """What a local was in the scope's frame before and is now, None where it is unbound; None if it is the same."""
    frame, before = timeline.frames[position], timeline.state_before(position)
    if frame.locals is None or before is None:
        return None
    then, now = timeline.frames[before].state.get(name), frame.locals.get(name)
    return None if then == now else (then, now)


def raises_anew(timeline: Timeline, position: int) -> bool:
    """Whether an exception is raised here, and does not only come from a scope that it left."""
    frame: Frame = timeline.frames[position]
    last = timeline.frames[position - 1] if position else None
    return frame.event is Event.EXCEPTION and not (last is not None and last.unwind)
