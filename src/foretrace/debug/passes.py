"""Loops as they ran: which steps belong to which pass, and which passes went otherwise than most.

    passes = Passes(timeline, structure)
    for run in passes.around(23):                 # innermost first; loops of callers too
        run.number_at(23), run.count              # (9, 10): the ninth of ten passes
        run.is_odd(9)

A run is one execution of a loop in one scope. A pass goes from one visit of the loop's head to the next. Of a loop that
stands on one line, the visit that ends it looks like a pass, and is counted.
"""

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field

from foretrace.debug.timeline import Timeline
from foretrace.trace import Event
from foretrace.trace.structure import Loop, Structure


@dataclass(slots=True, eq=False)
class Run:
    """One execution of a loop."""

    loop: Loop
    outer: "Run | None"
    """The loop around it in the same scope."""
    start: int
    end: int | None = None
    """The step after its last; None while it is not known."""
    starts: list[int] = field(default_factory=list)
    """The step at which each visit of the head begins."""
    _paths: list[int] = field(default_factory=list)
    """The lines of each pass in the loop's own scope, a bit each; one more bit for an exception."""
    _tally: Counter[int] = field(default_factory=Counter)
    """How often each path was taken, by the passes that are over."""

    @property
    def count(self) -> int:
        """The passes so far; the visit of the head that ends the loop is none."""
        return len(self._paths) - (not self._entered(self._paths[-1]))

    def number_at(self, position: int) -> int:
        """The number of the pass that a step belongs to, from 1."""
        return max(bisect_right(self.starts, position), 1)

    def is_odd(self, number: int) -> bool:
        """Whether a pass went through other lines than more than half of them did."""
        usual = self._usual()
        return usual is not None and number <= self.count and self._paths[number - 1] != usual

    @property
    def odd(self) -> int:
        """How many passes are odd, of those that are over."""
        usual = self._usual()
        return 0 if usual is None else self._tally.total() - self._tally[usual]

    def _usual(self) -> int | None:
        path, times = self._tally.most_common(1)[0] if self._tally else (0, 0)
        return path if 2 * times > self._tally.total() else None

    def visit(self, position: int) -> None:
        """The head is visited."""
        self._close_pass()
        self.starts.append(position)
        self._paths.append(0)

    def touch(self, line: int, raised: bool) -> None:
        """A line of it runs, or raises."""
        self._paths[-1] |= 1 << (line - self.loop.lines.start) | raised << len(self.loop.lines)

    def close(self, end: int) -> None:
        """It is left."""
        self._close_pass()
        self.end = end

    def _close_pass(self) -> None:
        if self._paths and self._entered(self._paths[-1]):
            self._tally[self._paths[-1]] += 1

    def _entered(self, path: int) -> bool:
        """Whether a path goes through the loop's body."""
        body = self.loop.body
        return path >> (body.start - self.loop.lines.start) != 0


class Passes:
    """The runs of a timeline's loops. Steps that are new are looked at when something is asked."""

    def __init__(self, timeline: Timeline, structure: Structure) -> None:
        self._timeline, self._structure = timeline, structure
        self._runs: list[Run | None] = []
        """The innermost run that each step is in, of its own scope."""

    def around(self, position: int) -> list[Run]:
        """The runs that a step is in, innermost first: those of its scope, then those of its callers."""
        self._follow()
        found = []
        for at in self._timeline.stack(position):
            run = self._runs[at]
            while run is not None:
                found.append(run)
                run = run.outer
        return found

    def between(self, start: int, stop: int) -> list[Run]:
        """The runs that steps from `start` to before `stop` are in, in the order of their first steps."""
        if start >= stop:
            return []
        found = dict.fromkeys(self.around(start))
        for run in self._runs[start:stop]:
            while run is not None and run not in found:
                found[run] = None
                run = run.outer
        return sorted(found, key=lambda run: (run.start, -len(run.loop.lines)))

    def _follow(self) -> None:
        for position in range(len(self._runs), len(self._timeline)):
            self._runs.append(self._add(position))

    def _add(self, position: int) -> Run | None:
        frame, before = self._timeline.frames[position], self._timeline.before(position)
        run = self._runs[before] if before is not None else None
        if frame.event is Event.CALL or frame.ghost:
            return run
        while run is not None and frame.line not in run.loop.lines:
            run.close(position)
            run = run.outer
        run = self._enter(run, position)
        if run is not None and frame.event is Event.LINE and self._begins_pass(run, position):
            run.visit(position)
        left = frame.event is Event.RETURN or frame.unwind
        around = run
        while around is not None:
            around.touch(frame.line, frame.event is Event.EXCEPTION)
            if left:
                around.close(position + 1)
            around = around.outer
        return run

    def _enter(self, run: Run | None, position: int) -> Run | None:
        """Begins the loops around a step that have not begun."""
        frame, depth, around = self._timeline.frames[position], 0, run
        while around is not None:
            depth, around = depth + 1, around.outer
        for loop in self._structure.loops_at(frame.function, frame.line)[depth:]:
            run = Run(loop, run, position)
            run.visit(position)
        return run

    def _begins_pass(self, run: Run, position: int) -> bool:
        """Whether a line visits the loop's head anew, and does not only go on in a head of several lines."""
        if self._timeline.frames[position].line not in run.loop.head or run.start == position:
            return False
        before = self._timeline.before(position)
        came_from = self._timeline.frames[before].line if before is not None else 0
        return came_from not in run.loop.head or run.loop.body.start in run.loop.head
