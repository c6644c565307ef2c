"""Where the next step of a branch comes from: a predictor is asked for one more, while the budget lasts.

    growth = Growth(predictor, Settings(budget=4096))
    finish = growth.grow(branch)                 # None: the branch has a step more; else why it has not

One prediction is open at a time, that of the branch which grew last. Another branch begins a new one; engines keep what
they have computed for what begins alike.
"""

from foretrace.debug.branch import Branch
from foretrace.debug.timeline import given
from foretrace.debug.types import Settings
from foretrace.engine import Engine, Finish, Predictor, Step, Steps, StopReason, TokenPredictor, finish_of
from foretrace.engine.skip import skip_to, targets_of
from foretrace.errors import UsageError
from foretrace.trace.structure import Structure

_END = Finish(StopReason.END)


class Growth:
    """Makes branches longer, and counts what that costs."""

    def __init__(self, predictor: Predictor, settings: Settings) -> None:
        self.predictor = predictor
        self.spent = 0
        """Tokens that were predicted."""
        self._budget, self._grammar = settings.budget, settings.grammar
        self._open: tuple[Branch, Steps] | None = None

    @property
    def budget(self) -> int:
        """Tokens that may be predicted in all."""
        return self._budget

    @budget.setter
    def budget(self, tokens: int) -> None:
        self._budget, self._open = tokens, None  # an open prediction has the old one

    def grow(self, branch: Branch) -> Finish | None:
        """Adds the next step to `branch`, or returns why there is none. Only a budget can be raised."""
        if branch.finish is not None:
            return branch.finish
        found, at = self._next(branch), len(branch.timeline)
        real = branch.real.frames[at] if branch.real and at < len(branch.real) else None
        if isinstance(found, Step):
            self.spent += found.tokens
            branch.timeline.append(found, real=real)
            return None
        if real is not None and found.reason is StopReason.FORMAT:  # reality goes on all the same
            branch.gaps[at] = found
            branch.timeline.append(given(real), known=True)
            return None
        if found.is_final:
            branch.finish = found
        else:
            self.spent = max(self.spent, self.budget)
        return found

    def _next(self, branch: Branch) -> Step | Finish:
        left, at = self.budget - self.spent, len(branch.timeline)
        if branch.real is not None and at == len(branch.real):
            return finish_of(branch.real)
        if left <= 0:
            return Finish(StopReason.BUDGET)
        if at in branch.skips:
            return self._skip(branch, branch.skips[at], left)
        opened, self._open = self._open, None  # one that ends, or breaks off with an error, does not go on
        steps = opened[1] if opened is not None and opened[0] is branch else self._steps(branch, left)
        step = next(steps, None)
        if step is not None and branch.real is None:  # what follows reality is asked for anew each time
            self._open = (branch, steps)
        return step or steps.finish or _END

    def _steps(self, branch: Branch, budget: int) -> Steps:
        return self.predictor.steps(
            branch.prompt,
            branch.timeline.frames,
            budget=budget,
            temperature=branch.temperature,
            seed=branch.seed,
            grammar=self._grammar,
        )

    def _skip(self, branch: Branch, what: str, budget: int) -> Step | Finish:
        self._open = None
        timeline = branch.timeline
        return skip_to(
            engine_of(self.predictor, "skip ahead"),
            branch.prompt,
            timeline.frames,
            targets_of(Structure(branch.prompt.call.source), timeline.frames[-1], what),
            budget=budget,
            temperature=branch.temperature,
            seed=branch.seed,
        )


def engine_of(predictor: Predictor, purpose: str) -> Engine:
    """The engine by which a predictor writes tokens.

    Raises:
        UsageError: it has none, and so cannot do what `purpose` says.

    """
    if isinstance(predictor, TokenPredictor):
        return predictor.engine
    raise UsageError(f"{predictor.name} is no model, and cannot {purpose}; use one, such as tiny")
