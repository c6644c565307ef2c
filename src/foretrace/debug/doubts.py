"""What else a model held possible: other values, and exceptions, with probabilities as far as its calibration trusts it.

    other_values(moment, "n")           # [Alternative(text='3', probability=0.31), …]
    may_raise(session)                  # [Doubt(position=12, line=14, text="KeyError('currency')", probability=0.22), …]

A model says how likely a text is, which is not how likely it is right. A calibration says that of what the model chose. If
it trusts that less than the model does, what stood beside it is trusted less in proportion: probably the state before is
wrong already. Sharing all that the calibration leaves among the others would promise too much (`bench/alternatives.py`).
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from math import exp
from typing import Any

from foretrace.debug.moment import Moment
from foretrace.debug.session import Session
from foretrace.engine import Alternative
from foretrace.trace import Event, Frame

WORTH_TELLING = 0.05
"""Less likely exceptions are not told."""


def other_values(moment: Moment, name: str, count: int = 3) -> list[Alternative]:
    """Other values that a local could have or, by the empty name, what is returned or raised; likeliest first.

    Where `moment.confidences` has the value, the probabilities are scaled as it trusts it; else they are the model's
    own, and only rank.

    Raises:
        UsageError: there is no such value here.

    """
    held = moment.alternatives(name, count)
    own = next((value for value in moment.step.values if value.name == name), None)
    sure = moment.confidences.get(name)
    if sure is None or own is None:
        return held
    trust = _trust(sure, own.logprob)
    return [replace(other, probability=other.probability * trust) for other in held]


@dataclass(frozen=True, slots=True)
class Doubt:
    """An exception that could come where another step is predicted."""

    position: int
    """The step that is predicted instead."""
    line: int
    """Where it would be raised."""
    text: str
    """Its likeliest repr; empty if the model names none."""
    probability: float | None
    """None without a calibration: then it is only known that the model hesitated."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def may_raise(session: Session, least: float = WORTH_TELLING) -> list[Doubt]:
    """The exceptions that the branch which is shown could raise where it does not, likeliest first.

    The model is asked only where it hesitated about what comes next.

    Args:
        session: is only read.
        least: less likely ones are left out.

    """
    found = list(_doubts(session, least))
    return sorted(found, key=lambda doubt: -(doubt.probability or 0.0))


def _doubts(session: Session, least: float) -> Iterator[Doubt]:
    for position, step in enumerate(session.branch.timeline):
        if not step.tokens or 1 - exp(step.event_logprob) < least or step.frame.event is Event.EXCEPTION:
            continue
        moment = session.at(position)
        place, sure = _running(moment), moment.line_confidence
        if step.ghost or place.ghost:  # where no line is, none raises
            continue
        held = session.at(position - 1).events()[Event.EXCEPTION]
        probability = held if sure is None else held * _trust(sure, step.event_logprob + step.line_logprob)
        if probability >= least:
            yield Doubt(position, place.line, _exception(moment, place), None if sure is None else probability)


def _running(moment: Moment) -> Frame:
    """The line that runs just before a step, which is the one that would raise."""
    timeline, last = moment.timeline, moment.position - 1
    frame = timeline.frames[last]
    if frame.event is Event.RETURN or frame.unwind:
        caller = timeline.caller(last)
        return timeline.frames[caller] if caller is not None else frame
    return frame


def _exception(moment: Moment, place: Frame) -> str:
    raised = Frame(Event.EXCEPTION, place.function, place.depth, place.line, place.source, value="", unwind=True)
    known = moment.timeline.frames[: moment.position]
    likeliest = moment.predictor.alternatives(moment.branch.prompt, known, raised, "", 1)
    return likeliest[0].text if likeliest else ""


def _trust(sure: float, logprob: float) -> float:
    """How far a calibration believes the model, which gave what it chose this log probability; at most 1."""
    own = exp(logprob)
    return sure / own if own > sure else 1.0
