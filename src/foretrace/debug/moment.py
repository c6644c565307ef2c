"""One step of a session, and all that can be asked about it.

moment = session.here
moment.before["n"], moment.after["n"]        # before and after its line runs
moment.evaluate("n > 2")                     # 'False'
moment.alternatives("n", count=3)            # [Alternative(text='3', probability=0.31), …]
moment.events()                              # {Event.LINE: 0.98, Event.EXCEPTION: 0.01, …, None: 0.0}
moment.set_by("n")                           # 18: the step whose line gave n its value
"""

from collections.abc import Mapping
from dataclasses import dataclass

from foretrace.debug.branch import Branch
from foretrace.debug.expressions import Expression
from foretrace.debug.reality import Comparison, texts_of
from foretrace.debug.timeline import Timeline
from foretrace.debug.types import Judge
from foretrace.engine import Alternative, Predictor, Step
from foretrace.errors import UsageError
from foretrace.trace import Event, Frame


@dataclass(frozen=True, slots=True)
class Moment:
    """A step of a branch."""

    branch: Branch
    position: int
    predictor: Predictor
    comparison: Comparison | None
    """The branch beside reality, if that is known."""
    judge: Judge | None

    @property
    def timeline(self) -> Timeline:
        """The steps of its branch."""
        return self.branch.timeline

    @property
    def step(self) -> Step:
        """What is predicted."""
        return self.timeline[self.position]

    @property
    def frame(self) -> Frame:
        """What stands here for the steps that follow: the predicted frame; re-anchored, the real one."""
        return self.timeline.frames[self.position]

    @property
    def real(self) -> Frame | None:
        """What really happens here, if that is known."""
        return self.comparison.real(self.position) if self.comparison else None

    @property
    def before(self) -> Mapping[str, str]:
        """The predicted locals before the line runs; what is returned or raised, by the empty name."""
        return texts_of(self.step.frame)

    @property
    def after(self) -> Mapping[str, str]:
        """The same after it has run, calls that it makes included; empty while that is not known."""
        following = self.timeline.after(self.position)
        return {} if following is None else texts_of(self.timeline[following].frame)

    @property
    def stack(self) -> list[int]:
        """The step and those of the callers' lines, innermost first."""
        return self.timeline.stack(self.position)

    @property
    def is_slip(self) -> bool:
        """Whether the prediction goes wrong here, having been right before."""
        return self.comparison is not None and self.comparison.is_slip(self.position)

    @property
    def confidences(self) -> Mapping[str, float]:
        """P(it is right) of each predicted value, by name, as far as it can be told."""
        return self.judge.sure(*self._judged) if self.judge and not self.is_guess else {}

    @property
    def line_confidence(self) -> float | None:
        """P(it is right) of the event and the line, if it can be told."""
        return self.judge.line(*self._judged) if self.judge and not self.is_guess else None

    @property
    def dots(self) -> Mapping[str, str]:
        """How sure each predicted value is, by name, in one to three dots, as far as it can be told."""
        return self.judge.marks(*self._judged) if self.judge and not self.is_guess else {}

    @property
    def is_guess(self) -> bool:
        """Whether steps were skipped since the last that is known to be true: how sure such a step is, nobody has learnt."""
        anchor = self.timeline.anchor(self.position)
        return any(anchor < at <= self.position for at in self.branch.skips)

    @property
    def _judged(self) -> tuple[Timeline, int, int]:
        return self.timeline, self.position, self.timeline.anchor(self.position)

    @property
    def sure(self) -> float | None:
        """The least confidence in a value that is new here; None if there is none, or it cannot be told."""
        new = {value.name for value in self.step.values if not value.unchanged}
        return min((sure for name, sure in self.confidences.items() if name in new), default=None)

    def evaluate(self, expression: str, *, real: bool = False) -> str:
        """The text of an expression's value, over the predicted locals or the real ones. Nothing is executed.

        Raises:
            UsageError: it cannot be evaluated; see `expressions.py`. Or nothing real is known.

        """
        frame = self.real if real else self.step.frame
        if frame is None:
            raise UsageError("what is real here is not known; run for real first")
        return Expression(expression).text(frame.state)

    def alternatives(self, name: str, count: int = 3) -> list[Alternative]:
        """Other values that the model held possible for a local or, by the empty name, for what is returned or raised.

        Raises:
            UsageError: there is no such value here.

        """
        self.text(name)
        known = self.timeline.frames[: self.position]
        return self.predictor.alternatives(self.branch.prompt, known, self.step.frame, name, count) if known else []

    def events(self) -> dict[Event | None, float]:
        """How likely each kind of frame is to come next: does it raise? None: that the execution ends."""
        return self.predictor.events(self.branch.prompt, self.timeline.frames[: self.position + 1])

    def set_by(self, name: str) -> int | None:
        """The step whose line gave a local its present value; None if the entry was called with it.

        An argument was given by the line that called the function.

        Raises:
            UsageError: there is no such local here.

        """
        timeline, at = self.timeline, self.position
        text = self.text(name)
        if not name:
            return timeline.before(at)
        while (before := timeline.state_before(at)) is not None:
            if timeline.frames[before].state.get(name) != text:
                return before
            at = before
        return timeline.caller(at)

    def text(self, name: str) -> str:
        """The predicted text of a value.

        Raises:
            UsageError: there is none of that name.

        """
        texts, frame = texts_of(self.step.frame), self.step.frame
        if name not in texts:
            there = ", ".join(n or "what is returned or raised" for n in texts) or "none"
            raise UsageError(f"there is no {name!r} at the {frame.event} of line {frame.line}; what there is: {there}")
        return texts[name]
