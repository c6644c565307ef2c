"""The tree of branches: every way in which a session has told the execution, and how to tell another.

tree = Tree(predictor, prompt, Settings())
tree.reach(tree.root, 10)                                            # predicts up to step 10
branch = tree.fork(tree.root, 10, Change(Kind.EDIT, {"n": "3"}))     # another past; its future is not known yet
tree.attach(branch, real)                                            # what really happens when it is called like that
tree.compare(tree.root, branch)                                      # Meeting(first=10, rejoins=(24, 24))
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from foretrace.debug.branch import Branch, Change, Kind
from foretrace.debug.growth import Growth, engine_of
from foretrace.debug.invent import prompt_with
from foretrace.debug.passes import Passes
from foretrace.debug.reality import Comparison, Reality, common_end, first_difference
from foretrace.debug.timeline import Timeline, given
from foretrace.debug.types import MAX_TEMPERATURE, Settings
from foretrace.engine import Finish, Predictor, Prompt, Step, StopReason
from foretrace.engine.skip import targets_of
from foretrace.errors import UsageError
from foretrace.trace import Trace
from foretrace.trace.structure import Structure

MAX_BRANCHES = 256


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two branches beside each other."""

    first: int | None
    """The first step at which they differ; None if one is the beginning of the other."""
    rejoins: tuple[int, int] | None
    """The step of each from which on they are alike to the end, which is known once both have ended."""


class Tree:
    """The branches of one session."""

    def __init__(self, predictor: Predictor, prompt: Prompt, settings: Settings) -> None:
        self.structure = Structure(prompt.call.source)
        self.growth = Growth(predictor, settings)
        timeline = Timeline()
        timeline.append(given(prompt.frames[0]), known=True)
        self.root = Branch(0, None, 0, Change(Kind.CALL), prompt, timeline, settings.seed, settings.temperature)
        self.branches = [self.root]
        self._realities: dict[tuple[tuple[str, str], ...], Reality] = {}
        self._comparisons: dict[Branch, Comparison] = {}
        self._passes: dict[Branch, Passes] = {}

    def reach(self, branch: Branch, position: int) -> Finish | None:
        """Predicts until the step at `position` is known; returns why it cannot be, if so."""
        while len(branch.timeline) <= position:
            if finish := self.growth.grow(branch):
                return finish
        return None

    def fork(self, parent: Branch, position: int, change: Change) -> Branch:
        """A branch that does something else at a known step: the step is changed, or what follows it.

        Raises:
            UsageError: the change is none that can be made there, or there are too many branches.

        """
        if len(self.branches) == MAX_BRANCHES:
            raise UsageError(f"a session can have {MAX_BRANCHES} branches; open another one")
        if change.kind is not Kind.ANCHOR and not 0 <= position < len(parent.timeline):
            raise UsageError(f"a branch cannot begin at step {position}: {len(parent.timeline)} are known")
        match change.kind:
            case Kind.SAMPLE | Kind.SKIP:
                branch = self._other_future(parent, position, change)
            case Kind.ANCHOR:
                branch = self._anchored(parent, position, change)
            case Kind.EDIT | Kind.PIN | Kind.DRAW:
                branch = self._edited(parent, position, change)
            case Kind.CALL:
                raise UsageError("a session has one first branch")
        self.branches.append(branch)
        return branch

    def skip(self, branch: Branch, position: int, what: str) -> Branch | Finish:
        """Predicts what follows a step when the rest of its line, loop or call is left out.

        That is a step of a branch of its own, or, after the last step of an unfinished free run, of that one. Where the
        model writes none all is as before, and it is said why.

        Raises:
            UsageError: there is nothing to skip, or the predictor cannot.

        """
        engine_of(self.growth.predictor, "skip ahead")
        targets_of(self.structure, branch.timeline.frames[position], what)
        goes_on = position + 1 == len(branch.timeline) and branch.finish is None and branch.real is None
        longer = branch if goes_on else self.fork(branch, position, Change(Kind.SKIP, skip=what))
        longer.skips[position + 1] = what
        try:
            return self.reach(longer, position + 1) or longer
        finally:
            if len(longer.timeline) == position + 1:  # nothing was written, perhaps because of an error
                if goes_on:
                    del branch.skips[position + 1]
                    branch.finish = None
                else:
                    self.branches.pop()

    def attach(self, branch: Branch, real: Trace) -> None:
        """Makes known what really happens when the function is called as in `branch`.

        Raises:
            UsageError: the trace is of another call.

        """
        call, entry = branch.prompt.call, branch.prompt.frames[0].function
        if not real.frames or (real.header.source, real.frames[0].function) != (call.source, entry):
            raise UsageError(f"the trace is not of {call.entry} in this session's source, but of {real.header.entry}")
        if real.frames[0].state != call.locals:
            raise UsageError(f"the trace is of {call.entry} called with {real.frames[0].state}, not with {call.locals}")
        self._realities[_call(branch)] = Reality(real)
        self._comparisons = {b: comparison for b, comparison in self._comparisons.items() if _call(b) != _call(branch)}

    def reality(self, branch: Branch) -> Reality | None:
        """What really happens when the function is called as in `branch`, if that is known."""
        return self._realities.get(_call(branch))

    def comparison(self, branch: Branch) -> Comparison | None:
        """The branch beside reality, if that is known."""
        reality = self.reality(branch)
        if reality is not None and branch not in self._comparisons:
            self._comparisons[branch] = Comparison(branch, reality, self.structure)
        return self._comparisons.get(branch)

    def passes(self, branch: Branch) -> Passes:
        """The loops of a branch as they ran."""
        if branch not in self._passes:
            self._passes[branch] = Passes(branch.timeline, self.structure)
        return self._passes[branch]

    def compare(self, one: Branch, other: Branch) -> Meeting:
        """Where two branches part, and where they meet again."""
        ours, theirs = one.timeline.frames, other.timeline.frames
        first = first_difference(ours, theirs)
        ended = all(b.finish is not None and b.finish.reason is StopReason.END for b in (one, other))
        return Meeting(first, common_end(ours, theirs, first) if first is not None and ended else None)

    def _edited(self, parent: Branch, position: int, change: Change) -> Branch:
        step = _changed(parent.timeline[position], change.texts)
        timeline = parent.timeline.fork(position)
        timeline.append(step, known=True)
        branch = self._child(parent, position, change, timeline)
        if position == 0:
            branch.prompt = prompt_with(parent.prompt.call.source, parent.prompt.call.entry, step.frame.state)
        return branch

    def _other_future(self, parent: Branch, position: int, change: Change) -> Branch:
        if change.kind is Kind.SAMPLE and not 0 < change.temperature <= MAX_TEMPERATURE:
            raise UsageError(
                "a future is drawn at a temperature above 0, such as 0.8, "
                f"not at {change.temperature}: at 0 it is always the same"
            )
        branch = self._child(parent, position + 1, change, parent.timeline.fork(position + 1))
        if change.kind is Kind.SKIP:
            branch.skips[position + 1] = change.skip
        else:
            branch.seed, branch.temperature = change.seed, change.temperature
        return branch

    def _anchored(self, parent: Branch, position: int, change: Change) -> Branch:
        reality = self.reality(parent)
        if reality is None:
            raise UsageError("a re-anchored run needs the real one; run for real first")
        start = max(position, 1)
        if start > len(reality.trace):
            raise UsageError(f"reality has ended before step {position}: it has {len(reality.trace)}")
        timeline = Timeline()
        for frame in reality.trace.frames[:start]:
            timeline.append(given(frame), known=True)
        branch = self._child(parent, start, change, timeline)
        branch.real, branch.skips = reality.trace, {}
        return branch

    def _child(self, parent: Branch, start: int, change: Change, timeline: Timeline) -> Branch:
        skips = {at: what for at, what in parent.skips.items() if at < start}
        number, seed, temperature = len(self.branches), parent.seed, parent.temperature
        return Branch(number, parent, start, change, parent.prompt, timeline, seed, temperature, skips=skips)


def _call(branch: Branch) -> tuple[tuple[str, str], ...]:
    """What tells the calls of a session apart: their arguments."""
    return tuple(branch.prompt.call.locals.items())


def _changed(step: Step, texts: Mapping[str, str]) -> Step:
    """A step with other values; what is given is no longer among the predicted ones."""
    frame = step.frame
    if frame.locals is None:
        frame = replace(frame, value=texts[""])
    else:
        frame = replace(frame, locals={**frame.locals, **texts})
    return replace(step, frame=frame, values=tuple(value for value in step.values if value.name not in texts))
