"""The steps of one branch, as far as they are known, and how they are nested.

Steps only come to the end, and each is linked to its scope when it comes: to the scope's step before and after it and
to the step of the caller. So that moves, stacks and the effect of a line cost the same at step 10 and at step 100,000.

    timeline = Timeline()
    timeline.append(given(frame))
    timeline.stack(40)                  # [40, 12, 3]: the step, the line that called its function, and so on
    timeline.after(12)                  # the scope's next step, after the call
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import overload

from foretrace.engine import Step
from foretrace.trace import Event, Frame

_NONE = -1


def given(frame: Frame) -> Step:
    """The step of a frame that nobody predicted; so it has no values."""
    return Step(frame, 0.0, 0.0, 0.0, (), 0)


class Timeline(Sequence[Step]):
    """Steps, position 0 being the call of the entry function.

    A resumed generator begins a scope anew, as it does on the wire.
    """

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self.frames: list[Frame] = []
        """What each step left for those after it: its own frame; in a re-anchored run, the real one."""
        self._steps: list[Step] = []
        self._before: list[int] = []
        self._after: list[int] = []
        self._caller: list[int] = []
        self._open: list[int] = []
        """The last step of each scope that is not left yet, outermost first."""
        self._anchors: list[int] = []
        self._visits: dict[int, list[int]] = {}
        self._visited = 0
        for step in steps:
            self.append(step)

    def append(self, step: Step, *, real: Frame | None = None, known: bool = False) -> None:
        """Adds the next step.

        Args:
            step: what is predicted, or given.
            real: what stands there for the steps after it, if that is another frame.
            known: whether the step is given, so that it is true by definition.

        """
        frame, here = real or step.frame, len(self._steps)
        if real is not None or known:
            self._anchors.append(here)
        self._steps.append(step)
        self.frames.append(frame)
        before, caller = self._enter(frame)
        self._before.append(before)
        self._after.append(_NONE)
        self._caller.append(caller)
        if before != _NONE:
            self._after[before] = here
        if frame.event is Event.RETURN or frame.unwind:
            del self._open[frame.depth :]
        else:
            self._open[frame.depth] = here

    def _enter(self, frame: Frame) -> tuple[int, int]:
        """The scope's step before a frame that comes now, and its caller's; makes room for it in `_open`."""
        opened = self._open
        del opened[frame.depth + 1 :]
        begins = frame.event is Event.CALL or len(opened) <= frame.depth
        if begins:
            del opened[frame.depth :]
            outer = opened[-1] if opened else _NONE
            opened += [outer] * (frame.depth - len(opened))  # scopes that were never seen to be entered
            opened.append(_NONE)
            return _NONE, outer
        before = opened[frame.depth]
        return before, self._caller[before] if before != _NONE else _NONE

    def __len__(self) -> int:
        return len(self._steps)

    @overload
    def __getitem__(self, position: int) -> Step: ...
    @overload
    def __getitem__(self, position: slice) -> list[Step]: ...
    def __getitem__(self, position: int | slice) -> Step | list[Step]:
        return self._steps[position]

    def before(self, position: int) -> int | None:
        """The scope's step before; None of its first."""
        return _optional(self._before[position])

    def after(self, position: int) -> int | None:
        """The scope's step after; None of its last, and if it is not known yet."""
        return _optional(self._after[position])

    def caller(self, position: int) -> int | None:
        """The step of the line from which the scope of a step was entered; None in the entry function."""
        return _optional(self._caller[position])

    def stack(self, position: int) -> list[int]:
        """The step and the callers' steps, innermost first."""
        found = [position]
        while (caller := self._caller[found[-1]]) != _NONE:
            found.append(caller)
        return found

    def state_before(self, position: int) -> int | None:
        """The scope's last step before that shows locals; None if there is none."""
        at = self._before[position]
        while at != _NONE and self.frames[at].locals is None:
            at = self._before[at]
        return _optional(at)

    def visits(self, line: int) -> list[int]:
        """The steps at which a line is about to run, or the function is entered whose `def` stands there, in order."""
        for position in range(self._visited, len(self.frames)):
            frame = self.frames[position]
            if frame.locals is not None:
                self._visits.setdefault(frame.line, []).append(position)
        self._visited = len(self.frames)
        return self._visits.get(line, [])

    def anchor(self, position: int) -> int:
        """The last step before `position` that is known to be true."""
        at = bisect_left(self._anchors, position)
        return self._anchors[at - 1] if at else 0

    def fork(self, length: int) -> "Timeline":
        """The first `length` steps, as those after them see them."""
        child = Timeline()
        if length == 0:
            return child
        child.frames = self.frames[:length]
        pairs = zip(self._steps[:length], child.frames, strict=True)
        child._steps = [step if step.frame is frame else given(frame) for step, frame in pairs]
        child._before, child._caller = self._before[:length], self._caller[:length]
        child._after = [after if after < length else _NONE for after in self._after[:length]]
        child._anchors = self._anchors[: bisect_left(self._anchors, length)]
        for at in reversed(child.stack(length - 1)):
            child._enter(child.frames[at])
            child._open[child.frames[at].depth :] = [at]
        last = child.frames[-1]
        if last.event is Event.RETURN or last.unwind:
            child._open.pop()
        return child


def _optional(position: int) -> int | None:
    return None if position == _NONE else position
