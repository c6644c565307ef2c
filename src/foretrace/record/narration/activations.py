"""Frames as a tree: each activation of a scope with the steps it took, each step with the activations it caused.

visits = read_activations(trace.frames)
visits[0].steps[0].after                     # the locals once the step was done, None where nothing shows them
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from foretrace.trace import Event, Frame


@dataclass(slots=True, eq=False)
class Step:
    """One line that ran, or the rest of the line at which a scope was resumed."""

    frame: Frame
    line: int
    before: dict[str, str]
    after: dict[str, str] | None = None
    """The locals when the scope ran its next line; `None` if it ran none."""
    children: list["Visit"] = field(default_factory=list)
    raised: str | None = None
    """An exception that reached this scope at this step."""
    handling: str | None = None
    """The exception that was raised in this activation before."""
    previous: int = 0
    """The line of the step before, 0 for the first."""
    following: int = 0
    """The line of the step after, 0 for the last."""
    end: Frame | None = None
    """What ended the activation, if it was left during this step."""
    times: int = 1
    """How many line events it is made of."""
    leaves_loop: bool | None = None
    """Whether the innermost loop was left here, by a jump; `None` outside loops."""
    ends_turn: bool = False
    """Whether it was the last step of an iteration."""

    @property
    def is_orderly(self) -> bool:
        """Whether the activation went on after this step, or ended with a return."""
        returned = self.end is not None and self.end.event is Event.RETURN and not self.end.suspended
        return self.following > 0 or returned

    @property
    def is_yield(self) -> bool:
        """Whether the activation was left here for a while."""
        return self.end is not None and self.end.suspended


@dataclass(slots=True, eq=False)
class Visit:
    """An activation of a scope, of a generator from one resumption to the next yield."""

    call: Frame
    steps: list[Step] = field(default_factory=list)
    end: Frame | None = None
    """The return or the exception that it was left with; `None` where the trace was cut."""
    raised: str | None = None
    """The latest exception."""

    @property
    def name(self) -> str:
        """The qualified name of the scope."""
        return self.call.function

    @property
    def is_anonymous(self) -> bool:
        """Whether it is a comprehension or a lambda: an expression, not a statement."""
        return self.call.function.endswith(">") and self.call.function != "<module>"

    @property
    def is_comprehension(self) -> bool:
        """Whether it is a comprehension or a generator expression."""
        return self.is_anonymous and not self.call.function.endswith("<lambda>")

    @property
    def value(self) -> str:
        """The text of what it returned, yielded or raised."""
        return (self.end.value or "") if self.end else ""


def read_activations(frames: Iterable[Frame]) -> list[Visit]:
    """The outermost activations: one, or of a generator one for each resumption."""
    outermost: list[Visit] = []
    stack: list[Visit] = []
    for frame in frames:
        if frame.event is Event.CALL:
            visit = Visit(frame)
            (_step(stack[-1], stack[-1].call).children if stack else outermost).append(visit)
            stack.append(visit)
            if frame.resumed:
                _begin(visit, frame)
        elif stack:
            _feed(stack, frame)
    return outermost


def _feed(stack: list[Visit], frame: Frame) -> None:
    visit = stack[-1]
    if frame.event is Event.LINE:
        _begin(visit, frame)
        return
    step = _step(visit, frame)
    if frame.event is Event.EXCEPTION:
        step.raised = visit.raised = frame.value
    if frame.event is Event.RETURN or frame.unwind:
        visit.end = step.end = frame
        stack.pop()


def _begin(visit: Visit, frame: Frame) -> None:
    step = Step(frame, frame.line, frame.state, handling=visit.raised)
    if visit.steps:
        last = visit.steps[-1]
        last.after, last.following, step.previous = frame.state, frame.line, last.line
    visit.steps.append(step)


def _step(visit: Visit, frame: Frame) -> Step:
    """The step that `visit` is at; one of its own for a scope that did something before its first line."""
    if not visit.steps:
        visit.steps.append(Step(frame, frame.line, visit.call.state))
    return visit.steps[-1]
