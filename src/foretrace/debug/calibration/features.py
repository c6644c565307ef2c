"""What is known of a predicted line or value before reality is, in a few numbers: the features of a calibration.

    past = Past(index=1)                              # the entry's call is known to be true
    features_of_line(past, step)                      # as `names(Part.LINE, past.mode)` says
    features_of_value(past, step, step.values[0])
    past = past.after(step)                           # free-running: the next step rests on this one

A step that is predicted from true frames (re-anchored) is judged by itself: how likely are the value, the line, the whole
frame? One that rests on other predictions (free-running) by itself and all of those, as if they were one long frame: it can
only be right if the lines until there are, and a value that was carried along only if it was right when it was written.

Each probability is told in log odds, which tell apart what is almost sure, and in nats, which tell apart what is not.
Types of values and kinds of frames only shift the result, so that each is right on average. `docs/calibration.md` says
what else was tried.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from math import log1p
from typing import Self

from foretrace.debug.calibration.maps import log_odds
from foretrace.engine import Step, Value
from foretrace.evals.scorers.literal import type_name
from foretrace.trace import Event

_MOST_NATS = 12.0
"""Beyond, a number of nats says nothing more."""


class Part(StrEnum):
    """What is judged of a step."""

    VALUE = "value"
    LINE = "line"
    """That such a frame is at this line next."""


class Mode(StrEnum):
    """What a step was predicted from."""

    ANCHORED = "re-anchored"
    """From frames that are true."""
    FREE = "free-run"
    """From frames of which some were predicted themselves."""


KINDS = ("int", "str", "list", "bool", "dict", "tuple", "none", "float", "set", "other")
"""Types of values. What is no literal of a built-in type, such as an object or an exception, is `other`."""
_KINDS = {"NoneType": "none", "frozenset": "set"} | {kind: kind for kind in KINDS}
_EVENTS = (Event.CALL.value, Event.RETURN.value, Event.EXCEPTION.value)
_LINE = ("score", "whole", "line nats", "rest nats", *_EVENTS)
_VALUE = ("score", "weakest", "whole", "value nats", "line nats", "rest nats", *_EVENTS, *KINDS[1:])
_NAMES = {
    (Part.LINE, Mode.ANCHORED): _LINE,
    (Part.LINE, Mode.FREE): (*_LINE, "lines", "log step"),
    (Part.VALUE, Mode.ANCHORED): _VALUE,
    (Part.VALUE, Mode.FREE): (*_VALUE, "chain"),
}
RISING = frozenset({"score", "weakest", "whole", "value nats", "line nats", "lines", "chain"})
"""Features that only ever speak for a prediction: the likelier it is to the model, all else alike, the surer it is."""

Scope = Mapping[str, tuple[str, float]]
"""Of a scope's values by name: the text, and the log probability of that text and of those it was carried along from."""


def names(part: Part, mode: Mode) -> tuple[str, ...]:
    """Names of the features of a line or a value; the first is the score that a raw probability is."""
    return _NAMES[part, mode]


@dataclass(frozen=True, slots=True)
class Past:
    """What is before a step, and how much of it nobody has confirmed. Logarithms are natural."""

    index: int
    """Frames before it."""
    alone: int = 0
    """Of these, predicted ones since the last that is known to be true."""
    lines: float = 0.0
    """Log of the model's joint probability of their events and lines."""
    whole: float = 0.0
    """The same of all their tokens."""
    scopes: tuple[Scope, ...] = field(default=())
    """Their values, by depth."""

    @property
    def mode(self) -> Mode:
        """What a step that comes now is predicted from."""
        return Mode.FREE if self.alone else Mode.ANCHORED

    def after(self, step: Step) -> Self:
        """What is before the step that follows a predicted one."""
        lines, whole = self.lines + _line(step), self.whole + step.logprob
        return type(self)(self.index + 1, self.alone + 1, lines, whole, self._scopes_after(step))

    def chain(self, step: Step, value: Value) -> float:
        """Log probability of a value and of those before it that it repeats, back to where it was written first."""
        depth = step.frame.depth
        known = self.scopes[depth].get(value.name) if depth < len(self.scopes) else None
        carried = known is not None and step.frame.event is Event.LINE and known[0] == value.text
        return value.logprob + (known[1] if carried and known is not None else 0.0)

    def _scopes_after(self, step: Step) -> tuple[Scope, ...]:
        frame, outer = step.frame, self.scopes[: step.frame.depth]
        if frame.locals is not None:
            unseen: tuple[Scope, ...] = ({},) * (frame.depth - len(outer))
            return (*outer, *unseen, {value.name: (value.text, self.chain(step, value)) for value in step.values})
        return outer if frame.event is Event.RETURN or frame.unwind else self.scopes


def features_of_line(past: Past, step: Step) -> list[float]:
    """What is known of a step's event and line, together."""
    line, whole = _line(step), past.whole + step.logprob
    found = [log_odds(line), log_odds(whole), _nats(line), _nats(step.logprob - line), *_one_of(step.frame.event, _EVENTS)]
    return [*found, log_odds(past.lines + line), log1p(past.index)] if past.alone else found


def features_of_value(past: Past, step: Step, value: Value) -> list[float]:
    """What is known of one value of a step."""
    line, score = _line(step), log_odds(value.logprob)
    found = [
        score,
        min(score, log_odds(past.lines + line)),
        log_odds(past.whole + step.logprob),
        _nats(value.logprob),
        _nats(line),
        _nats(step.logprob - line - value.logprob),
        *_one_of(step.frame.event, _EVENTS),
        *_one_of(kind_of(value.text), KINDS[1:]),
    ]
    return [*found, log_odds(past.chain(step, value))] if past.alone else found


@lru_cache(4096)
def kind_of(text: str) -> str:
    """The type of a value, by its text."""
    return _KINDS.get(type_name(text), "other")


def _line(step: Step) -> float:
    """Log probability of a step's event and line."""
    return step.event_logprob + step.line_logprob


def _nats(logprob: float) -> float:
    return max(logprob, -_MOST_NATS)


def _one_of(what: str, those: Sequence[str]) -> list[float]:
    return [1.0 if what == one else 0.0 for one in those]
