"""Walking through a tree of branches: where one stands, and the moves of a debugger.

    walk = Walk(tree, predictor)
    walk.step(); walk.over(); walk.out(); walk.back()       # each returns a Stop
    walk.run(); walk.run(reverse=True)
    walk.goto(line=4, visit=9)
    walk.until(lambda moment: moment.before.get("n") == "3")

What is not known yet is predicted on the way, as far as a move goes. A move that cannot go on says why, and keeps what
there is.
"""

from bisect import bisect_left
from collections.abc import Callable

from foretrace.debug.breakpoints import Breakpoints
from foretrace.debug.moment import Moment
from foretrace.debug.tree import Tree
from foretrace.debug.types import Judge, Reason, Stop
from foretrace.engine import Finish, Predictor, StopReason
from foretrace.errors import UsageError
from foretrace.trace import Event, Frame


class Walk:
    """A step of a branch, and how to come to another. Breakpoints and filters end each move but `goto` and `seek`."""

    def __init__(self, tree: Tree, predictor: Predictor, judge: Judge | None = None) -> None:
        self.tree, self.predictor, self.judge = tree, predictor, judge
        self.breakpoints = Breakpoints(tree.root.prompt.call.source)
        self.branch = tree.root
        """The one that is shown."""
        self.position = 0
        """The step that is shown, the entry's call being 0."""
        self.stop = Stop(Reason.ENTRY, 0)
        """How the last move ended."""
        self.on_step: Callable[[int], bool] | None = None
        """Is asked before each prediction, with the number of known steps; where it denies, the move pauses."""

    @property
    def here(self) -> Moment:
        """The step that is shown."""
        return self.at(self.position)

    def at(self, position: int) -> Moment:
        """A known step of the branch.

        Raises:
            UsageError: there is none.

        """
        if not 0 <= position < len(self.branch.timeline):
            raise UsageError(f"step {position} is not known; the steps so far are 0 to {len(self.branch.timeline) - 1}")
        return Moment(self.branch, position, self.predictor, self.tree.comparison(self.branch), self.judge)

    def step(self) -> Stop:
        """To the next step."""
        return self._travel(lambda _: True)

    def over(self) -> Stop:
        """To the next step of this scope, or of one around it: calls that the line makes are run through."""
        frame = self.here.frame
        is_left = frame.event is Event.RETURN or frame.unwind
        return self._travel(lambda following: following.depth < frame.depth + (not is_left))

    def out(self) -> Stop:
        """To the first step of the caller after this scope was left."""
        depth = self.here.frame.depth
        return self._travel(lambda frame: frame.depth < depth)

    def back(self) -> Stop:
        """To the step before. Like all moves back, it predicts nothing."""
        return self._travel(lambda _: True, reverse=True)

    def back_over(self) -> Stop:
        """To the step before of this scope, or to the line that called it."""
        timeline = self.branch.timeline
        before = timeline.before(self.position)
        return self._back_to(timeline.caller(self.position) if before is None else before)

    def back_out(self) -> Stop:
        """To the line that called this function."""
        return self._back_to(self.branch.timeline.caller(self.position))

    def run(self, *, reverse: bool = False) -> Stop:
        """To where a breakpoint or a filter says, or to the end; in reverse, to the entry."""
        return self._travel(lambda _: False, reverse=reverse)

    def until(self, predicate: Callable[[Moment], bool], *, reverse: bool = False) -> Stop:
        """To the next step for which `predicate` holds."""
        return self._travel(lambda _: predicate(self.here), reverse=reverse)

    def to_slip(self, *, reverse: bool = False) -> Stop:
        """To the next step, or the one before, at which the prediction goes wrong.

        Raises:
            UsageError: what is real is not known.

        """
        if self.tree.comparison(self.branch) is None:
            raise UsageError("where the prediction is wrong is not known; run for real first")
        return self.until(lambda moment: moment.is_slip, reverse=reverse)

    def goto(self, line: int, visit: int | None = None) -> Stop:
        """To the k-th visit of a line, from 1; by default to the next one after this step.

        Raises:
            UsageError: it is not visited that often, or a visit is counted from 0.

        """
        if visit is not None and visit < 1:
            raise UsageError(f"visits are counted from 1, not {visit}")
        timeline, start = self.branch.timeline, 0 if visit is not None else self.position + 1
        while True:
            found = timeline.visits(line)
            wanted = bisect_left(found, start) + (visit or 1) - 1
            if wanted < len(found):
                return self._halt(Stop(Reason.GOTO, found[wanted]))
            if stop := self._edge(len(timeline)):
                break
        if stop.reason is Reason.END:
            after = "" if visit is not None else f" after step {self.position}"
            times = len(found) - bisect_left(found, start)
            raise UsageError(f"line {line} is visited {times} times{after}, to the end")
        return self._halt(stop)

    def seek(self, position: int) -> Stop:
        """To a step by its number; to the last one if there are fewer."""
        for at in range(len(self.branch.timeline), position + 1):
            if stop := self._edge(at):
                return self._halt(stop)
        return self._halt(Stop(Reason.GOTO if position > 0 else Reason.ENTRY, max(position, 0)))

    def _back_to(self, target: int | None) -> Stop:
        return self._travel(lambda _: self.position == target, reverse=True)

    def _travel(self, arrives: Callable[[Frame], bool], *, reverse: bool = False) -> Stop:
        """Goes step by step until a breakpoint is hit or `arrives`, which may look at where the session is."""
        while not (stop := self._edge(self.position + (-1 if reverse else 1))):
            self.position += -1 if reverse else 1
            stop = self.breakpoints.check(self.here)
            if stop or arrives(self.here.frame):
                return self._halt(stop or Stop(Reason.STEP, self.position))
        return self._halt(stop)

    def _edge(self, position: int) -> Stop | None:
        """Makes a step known; how a move ends that cannot go there."""
        if position < 0:
            return Stop(Reason.ENTRY, 0)
        known = len(self.branch.timeline)
        if position < known:
            return None
        if self.on_step is not None and not self.on_step(known):
            return Stop(Reason.PAUSE, known - 1)
        finish = self.tree.reach(self.branch, position)
        return self._finished(finish) if finish else None

    def _finished(self, finish: Finish) -> Stop:
        last = len(self.branch.timeline) - 1
        frame, detail = self.branch.timeline.frames[last], finish.detail
        match finish.reason:
            case StopReason.END:
                detail = f"{'raises' if frame.event is Event.EXCEPTION else 'returns'} {frame.value}"
            case StopReason.BUDGET if finish.is_final:
                detail = f"what is told here was recorded, and cut after {last + 1} steps ({detail}): record more of it"
            case StopReason.BUDGET:
                budget = self.tree.growth.budget
                detail = f"the {budget} tokens of the budget are used up; {last + 1} steps are kept: raise it to go on"
            case StopReason.CONTEXT:
                detail = f"the model's context is full after {last + 1} steps: skip a loop, or score a real run"
        return Stop(Reason(finish.reason.value), last, detail)

    def _halt(self, stop: Stop) -> Stop:
        self.position, self.stop = stop.position, stop
        return stop
