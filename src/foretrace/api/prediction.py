"""A predicted trace whose values say how sure they are, and what else they could have been.

    predicted = model.predict("letters.py::f", c="r")
    predicted.result, predicted.result.sure             # Predicted("'Found 0002'", sure=0.4), 0.4
    predicted.at(line=4, visit=9).after["n"].others     # [Alternative(text='3', probability=0.31)]

It is a `Trace` like a recorded one, so that both are compared, written and shown by the same means.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

from foretrace.debug import Moment, Session
from foretrace.debug.doubts import Doubt, may_raise, other_values
from foretrace.engine import Alternative, Finish, StopReason, trace_of
from foretrace.errors import UsageError
from foretrace.trace import Frame, Trace
from foretrace.trace.syntax import UNREADABLE, literal


class Predicted(str):
    """The repr of a predicted value. It is a string, and knows where it comes from."""

    _moment: Moment
    _name: str

    @classmethod
    def of(cls, moment: Moment, name: str) -> Self:
        """The value of a name at a step; of what is returned or raised, the empty name's."""
        made = cls(moment.text(name))
        made._moment, made._name = moment, name
        return made

    @property
    def sure(self) -> float | None:
        """P(it is right); None if the model has no calibration, or the value was given."""
        return self._moment.confidences.get(self._name)

    @property
    def dots(self) -> str:
        """How sure, in one to three dots, also without a calibration (`Confidence.meaning`); empty if it was given."""
        return self._moment.dots.get(self._name, "")

    @cached_property
    def others(self) -> list[Alternative]:
        """At most three other values that the model held possible, likeliest first; it is asked when this is first read."""
        return other_values(self._moment, self._name)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the text, how sure it is, and what else was held."""
        others = [[other.text, other.probability] for other in self.others]
        return {"text": str(self), "sure": self.sure, "dots": self.dots, "others": others}

    def literal(self) -> Any:
        """The value itself.

        Raises:
            UsageError: its text is no literal.

        """
        try:
            return literal(self)
        except UNREADABLE as error:
            raise UsageError(f"{str(self)[:80]} is no literal: only its text is known") from error

    def __repr__(self) -> str:
        sure = "" if self.sure is None else f", sure={self.sure:.2f}"
        return f"Predicted({str(self)!r}{sure})"


@dataclass(frozen=True, slots=True)
class PredictedStep:
    """One step of a prediction, with the values around its line."""

    moment: Moment
    """The same for the debugger: stack, events, provenance."""

    @property
    def position(self) -> int:
        """Its number, the entry's call being 0."""
        return self.moment.position

    @property
    def frame(self) -> Frame:
        """The frame."""
        return self.moment.step.frame

    @property
    def sure(self) -> float | None:
        """P(its event and its line are right); None without a calibration."""
        return self.moment.line_confidence

    @property
    def before(self) -> dict[str, Predicted]:
        """The locals before its line runs; what is returned or raised, by the empty name."""
        return _values(self.moment)

    @property
    def after(self) -> dict[str, Predicted]:
        """The same after it has run, calls that it makes included; empty after the scope's last step."""
        following = self.moment.timeline.after(self.position)
        return {} if following is None else _values(replace(self.moment, position=following))


@dataclass(frozen=True, eq=False)
class Prediction(Trace):
    """A predicted trace."""

    session: Session = field(repr=False)
    """By which it was told, and which answers what is asked of it; to walk, take one of `Model.debug`."""

    @classmethod
    def of(cls, session: Session) -> Self:
        """What a session predicts to the end of the branch that is shown, or as far as its budget goes."""
        session.run()
        branch = session.branch
        finish = branch.finish or Finish(StopReason.BUDGET)
        frames = [step.frame for step in branch.timeline]
        trace = trace_of(branch.prompt, frames, finish, session.predictor.name)
        return cls(replace(trace.header, path=session.path), trace.frames, session)

    @property
    def result(self) -> Predicted | None:
        """What the entry function returns; None if it raises or was cut."""
        return self._value if super().result is not None else None

    @property
    def exception(self) -> Predicted | None:
        """The exception that leaves the entry function, if one does."""
        return self._value if super().exception is not None else None

    @property
    def _value(self) -> Predicted:
        """What the last step returns or raises."""
        return Predicted.of(self.session.at(len(self) - 1), "")

    @property
    def may_raise(self) -> list[Doubt]:
        """Exceptions that it could raise where it does not, likeliest first; the model is asked."""
        return may_raise(self.session)

    def step(self, position: int) -> PredictedStep:
        """One step by its number.

        Raises:
            UsageError: there is none.

        """
        return PredictedStep(self.session.at(position))

    def at(self, line: int, visit: int = 1) -> PredictedStep:
        """The step at which a line runs for the k-th time, from 1.

        Raises:
            UsageError: it does not run so often.

        """
        visits = self.session.branch.timeline.visits(line)
        if not 1 <= visit <= len(visits):
            raise UsageError(f"line {line} runs {len(visits)} times in this prediction; there is no visit {visit}")
        return self.step(visits[visit - 1])


def _values(moment: Moment) -> dict[str, Predicted]:
    return {name: Predicted.of(moment, name) for name in moment.before}
