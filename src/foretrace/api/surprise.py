"""How surprising a real trace is to a model: the odd step in a log is where it expected something else.

    surprise = model.score(trace)
    surprise.oddest(3)                  # [Odd(position=23, line=4, name='n', text='3', …), …]
    surprise.expected(surprise.oddest(1)[0])        # what the model held likeliest there
    sum(surprise.nats)                  # of the whole trace

One forward pass over what happened (teacher forcing), so nothing is invented. Each step is judged given the real ones
before it. A surprise is the model's own: no calibration speaks of values that it did not choose.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import log
from typing import Any

from foretrace.debug.invent import argument_list, function_of
from foretrace.engine import Predictor, Prompt, Step
from foretrace.engine.binding import BoundCall
from foretrace.engine.steps import extended
from foretrace.errors import UsageError
from foretrace.trace import Trace

_EVEN = log(0.5)


@dataclass(frozen=True, slots=True)
class Odd:
    """A value, or a whole line, that the model did not expect."""

    position: int
    line: int
    name: str | None
    """Of a local; empty: what is returned or raised; None: that this kind of frame is at this line."""
    text: str
    nats: float
    """Surprise: minus the natural logarithm of the probability that the model gave it."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Surprise:
    """A real trace, and how likely a model held each of its steps."""

    trace: Trace
    predictor: Predictor
    steps: Sequence[Step]
    """The first ones of the trace: as many as the model's context takes."""

    @property
    def nats(self) -> list[float]:
        """The surprise of each step, in nats."""
        return [-step.logprob for step in self.steps]

    @cached_property
    def odd(self) -> list[Odd]:
        """The lines that the model held unlikelier than all others together, and the values that it held unlikelier than one
        other, by position. What stayed as it was, and what comes after the call's own arguments, counts like the rest.
        """
        return [odd for position in range(1, len(self.steps)) for odd in self.odd_at(position)]

    def odd_at(self, position: int) -> list[Odd]:
        """Those of one step."""
        step = self.steps[position]
        frame, place = step.frame, step.event_logprob + step.line_logprob
        found = []
        if place < _EVEN:
            found.append(Odd(position, frame.line, None, f"{frame.event} {frame.source.strip()}", -place))
        for value in step.values:
            if value.margin < 0:
                found.append(Odd(position, frame.line, value.name, value.text, -value.logprob))
        return found

    def oddest(self, count: int = 10) -> list[Odd]:
        """The most surprising ones, the most surprising first."""
        return sorted(self.odd, key=lambda odd: -odd.nats)[:count]

    def expected(self, odd: Odd) -> str | None:
        """The value that the model held likeliest instead; None of a line, and if it names none. The model is asked."""
        if odd.name is None:
            return None
        known, frame = self.trace.frames[: odd.position], self.trace.frames[odd.position]
        held = self.predictor.alternatives(prompt_of(self.trace), known, frame, odd.name, 1)
        return held[0].text if held else None

    @property
    def values(self) -> tuple[int, int]:
        """How many values the model held likeliest, of how many; those of the entry's call are given."""
        margins = [value.margin for step in self.steps[1:] for value in step.values]
        return sum(margin >= 0 for margin in margins), len(margins)

    @property
    def lines(self) -> tuple[int, int]:
        """How many steps came at a line that the model held likelier than all others together, of how many."""
        likely = [step.event_logprob + step.line_logprob >= _EVEN for step in self.steps[1:]]
        return sum(likely), len(likely)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the counts, and what was odd."""
        return {
            "v": 1,
            "model": self.predictor.name,
            "steps": [len(self.steps), len(self.trace)],
            "lines": list(self.lines),
            "values": list(self.values),
            "nats": round(sum(self.nats[1:]), 3),
            "odd": [odd.to_dict() for odd in self.odd],
        }


def prompt_of(trace: Trace) -> Prompt:
    """The prompt that a trace could have been predicted from.

    Raises:
        UsageError: it has no steps.

    """
    if not trace.frames:
        raise UsageError("the trace has no steps; there is nothing to score")
    first, source = trace.frames[0], trace.header.source
    call = BoundCall(source, first.function, first.line, first.state, _arguments(source, first.function, first.state))
    return extended(Prompt(call, (), ()), [first])


def _arguments(source: str, entry: str, texts: dict[str, str]) -> str:
    """The text of the argument list; empty of what is no plain function of the module."""
    try:
        return argument_list(function_of(source, entry), texts)
    except (UsageError, KeyError):
        return ""
