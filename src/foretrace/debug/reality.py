"""A branch beside what really happened: which steps are right, where it went wrong, and whether it came back.

    comparison = Comparison(branch, Reality(trace), structure)
    comparison.verdict(23)               # 'wrong'
    comparison.wrong_at(23)              # (Divergence(step=23, kind='value', variable='n', …),)
    comparison.slips                     # [23]: where it went wrong by itself
    comparison.rejoins                   # (24, 24): from its step 24 on it goes as reality does from step 24

Steps are compared one to one, as `trace.diff` does; where a branch skipped steps, reality's are skipped too. It follows
its branch: steps that are new are compared when something is asked.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from functools import cached_property

from foretrace.debug.branch import Branch
from foretrace.debug.timeline import Timeline, given
from foretrace.engine import Finish, Step, StopReason, trace_of
from foretrace.trace import Diff, Divergence, Frame, Outcome, Trace, diff
from foretrace.trace.structure import Structure

_NOWHERE = -1


class Verdict(StrEnum):
    """What a step, or a value, is beside reality."""

    RIGHT = "right"
    WRONG = "wrong"
    GHOST = "ghost"
    """Predicted, and nothing real is there; a line that the source lacks."""
    MISSING = "missing"
    """Real, and not predicted."""


class Reality:
    """A real trace."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.scored: list[Step] = []
        """How likely the model held each of its steps; empty until somebody asks."""

    @cached_property
    def timeline(self) -> Timeline:
        """Its steps."""
        return Timeline(map(given, self.trace.frames))

    @property
    def is_whole(self) -> bool:
        """Whether it goes to the end."""
        return self.trace.header.outcome is not Outcome.TRUNCATED

    def after_skipping(self, at: int, what: str, structure: Structure) -> int:
        """The step that follows step `at` when the rest of its line, loop or call is skipped; -1 if there is none."""
        if at >= len(self.trace):
            return _NOWHERE
        frame, timeline = self.trace.frames[at], self.timeline
        loops = structure.loops_at(frame.function, frame.line)
        inside = loops[-1].lines if what == "loop" and loops else ()
        following = timeline.after(at)
        while following is not None:
            here = self.trace.frames[following]
            last = timeline.after(following) is None
            if (what == "line") or (what == "call" and last) or (what == "loop" and (here.line not in inside or last)):
                return following
            following = timeline.after(following)
        return _NOWHERE


class Comparison:
    """One branch beside reality."""

    def __init__(self, branch: Branch, reality: Reality, structure: Structure) -> None:
        self.branch, self.reality, self._structure = branch, reality, structure
        self._places: list[int] = []
        """The real step of each step; -1: none."""
        self._wrong: dict[int, tuple[Divergence, ...]] = {}
        self._wrong_steps: list[int] = []
        self._slips: list[int] = []
        self._rejoins: tuple[tuple[int, Finish | None], tuple[int, int] | None] | None = None
        """What was found, and how much of the branch was known then."""

    @property
    def slips(self) -> list[int]:
        """The wrong steps before which all was right: the step before, and the scope's step before.

        What is wrong after a slip may only follow from it. A re-anchored run tells, as there every wrong step is a
        slip.
        """
        self._follow()
        return self._slips

    def is_slip(self, position: int) -> bool:
        """Whether a step is a slip."""
        at = bisect_left(self.slips, position)
        return at < len(self._slips) and self._slips[at] == position

    @property
    def wrong_steps(self) -> list[int]:
        """The steps that are wrong."""
        self._follow()
        return self._wrong_steps

    def wrong_at(self, position: int) -> tuple[Divergence, ...]:
        """What is wrong with a step."""
        self._follow()
        return self._wrong.get(position, ())

    def place(self, position: int) -> int | None:
        """The real step where a step stands, of a position after the last step too; None if none does."""
        self._follow()
        beyond = max(position - len(self._places) + 1, 0)
        place = self._places[position - beyond]
        return None if place == _NOWHERE or place + beyond >= len(self.reality.trace) else place + beyond

    def real(self, position: int) -> Frame | None:
        """The real frame where a step stands, of a position after the last step too; None if none does."""
        place = self.place(position)
        return None if place is None else self.reality.trace.frames[place]

    def verdict(self, position: int) -> Verdict | None:
        """What a step is; None if reality is not known there."""
        if position >= len(self.branch.timeline):
            return Verdict.MISSING if self.real(position) else None
        wrong = self.wrong_at(position)
        if any(divergence.kind in ("ghost", "length") for divergence in wrong):
            return Verdict.GHOST
        if wrong:
            return Verdict.WRONG
        return Verdict.RIGHT if self.real(position) else None

    def values(self, position: int) -> dict[str, Verdict]:
        """What each value of a step is, predicted or real, by name; empty if reality is not known there."""
        real = self.real(position)
        if real is None:
            return {}
        ours = texts_of(self.branch.timeline[position].frame) if position < len(self.branch.timeline) else {}
        theirs = texts_of(real)
        return {name: _of_value(ours.get(name), theirs.get(name)) for name in dict.fromkeys([*theirs, *ours])}

    @property
    def rejoins(self) -> tuple[int, int] | None:
        """From which step on it goes as reality goes from which of its own; None if it does not, or never left it."""
        self._follow()
        if not self._wrong:
            return None
        known = len(self.branch.timeline), self.branch.finish
        if self._rejoins is None or self._rejoins[0] != known:
            self._rejoins = (known, self._find_rejoining())
        return self._rejoins[1]

    def _find_rejoining(self) -> tuple[int, int] | None:
        wrong, finish = self._wrong_steps, self.branch.finish
        if self.reality.is_whole and finish is not None and finish.reason is StopReason.END:
            ours = [step.frame for step in self.branch.timeline]
            return common_end(ours, self.reality.trace.frames, wrong[0])
        right = wrong[-1] + 1
        return (right, self._places[right]) if right < len(self._places) and self.real(right) else None

    def diff(self, model: str) -> Diff:
        """The difference, of the steps that are known if more may come."""
        self._follow()
        branch, real = self.branch, self.reality.trace
        predicted = trace_of(branch.prompt, [step.frame for step in branch.timeline], branch.finish, model)
        places = [at for at in self._places if at != _NOWHERE]
        seen = [real.frames[at] for at in places if at < len(real)]
        if branch.finish is None:
            return diff(predicted, Trace(predicted.header, tuple(seen)))
        return diff(predicted, replace(real, frames=(*seen, *real.frames[places[-1] + 1 :])))

    def _follow(self) -> None:
        for position in range(len(self._places), len(self.branch.timeline)):
            place = self._place(position)
            self._places.append(place)
            wrong = self._compare(position, place)
            if wrong:
                self._wrong[position] = wrong
                self._wrong_steps.append(position)
                before = self.branch.timeline.before(position)
                follows = position - 1 in self._wrong or before in self._wrong
                if self.branch.real is not None or not follows:
                    self._slips.append(position)

    def _place(self, position: int) -> int:
        last = self._places[-1] if self._places else _NOWHERE
        if position in self.branch.skips and last != _NOWHERE:
            return self.reality.after_skipping(last, self.branch.skips[position], self._structure)
        return last + 1 if last != _NOWHERE or not position else _NOWHERE

    def _compare(self, position: int, place: int) -> tuple[Divergence, ...]:
        real, ours = self.reality.trace, self.branch.timeline[position].frame
        if place == _NOWHERE or (place >= len(real) and not self.reality.is_whole):
            return ()
        if place >= len(real):
            return (Divergence(position, "length", ours.line, None, f"{ours.event} {ours.source.strip()}", None),)
        if position in self.branch.gaps:
            gap = self.branch.gaps[position]
            return (Divergence(position, "format", ours.line, None, gap.detail, f"{ours.event} {ours.source.strip()}"),)
        found = diff(Trace(real.header, (ours,)), Trace(real.header, (real.frames[place],)))
        return tuple(replace(divergence, step=position) for divergence in found.divergences)


def texts_of(frame: Frame) -> dict[str, str]:
    """The values of a frame by name, what is returned or raised by the empty one."""
    return {"": frame.value or ""} if frame.locals is None else frame.locals


def same(ours: Frame, theirs: Frame) -> bool:
    """Whether two frames say the same."""
    return ours is theirs or (
        (ours.event, ours.line, ours.source, ours.value) == (theirs.event, theirs.line, theirs.source, theirs.value)
        and ours.locals == theirs.locals
    )


def first_difference(ours: Sequence[Frame], theirs: Sequence[Frame]) -> int | None:
    """The first step at which two executions are not the same; None if one is the beginning of the other."""
    pairs = enumerate(zip(ours, theirs, strict=False))
    return next((position for position, (one, other) in pairs if not same(one, other)), None)


def common_end(ours: Sequence[Frame], theirs: Sequence[Frame], after: int) -> tuple[int, int] | None:
    """The step of each of two executions from which on they are alike to the end; both are after step `after`."""
    most, alike = min(len(ours), len(theirs)) - after - 1, 0
    while alike < most and same(ours[-1 - alike], theirs[-1 - alike]):
        alike += 1
    return (len(ours) - alike, len(theirs) - alike) if alike else None


def _of_value(ours: str | None, theirs: str | None) -> Verdict:
    if ours is None or theirs is None:
        return Verdict.MISSING if ours is None else Verdict.GHOST
    return Verdict.RIGHT if ours == theirs else Verdict.WRONG
