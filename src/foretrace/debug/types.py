"""What a session is set up with, and what it says when it stops.

settings = Settings(budget=8192)
stop = session.run()                          # Stop(reason='breakpoint', position=20, detail='', breakpoints=(1,))
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from foretrace.engine import Step
from foretrace.errors import UsageError

MAX_TEMPERATURE = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How a session predicts."""

    budget: int = 4096
    """Tokens that may be predicted, those of all branches together; see `Session.budget`."""
    temperature: float = 0.0
    """0: always the likeliest token."""
    seed: int = 0
    """Of what is drawn: at a temperature, and of invented arguments."""
    grammar: bool = False
    """Predict only lines that exist, in an order that control flow allows."""

    def __post_init__(self) -> None:
        if self.budget < 0 or not 0 <= self.temperature <= MAX_TEMPERATURE:
            raise UsageError(f"budgets are 0 or more, temperatures 0 to 10; not {self.budget} and {self.temperature}")


class Reason(StrEnum):
    """Why a session stands where it stands."""

    ENTRY = "entry"
    """At the first step: nothing is before it."""
    STEP = "step"
    BREAKPOINT = "breakpoint"
    DATA = "data breakpoint"
    GOTO = "goto"
    PAUSE = "pause"
    """`Session.on_step` said so."""
    EXCEPTION = "exception"
    """One is predicted."""
    DIVERGENCE = "divergence"
    """The prediction is wrong here, and was right before."""
    CONFIDENCE = "low confidence"
    END = "end"
    """At the last step: the entry function was left."""
    BUDGET = "budget"
    CONTEXT = "context"
    """The model's context is full."""
    FORMAT = "format"
    """What came next was no frame."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a move ended."""

    reason: Reason
    position: int
    """Number of the step, the entry's call being 0."""
    detail: str = ""
    """More about it, for people."""
    breakpoints: tuple[int, ...] = ()
    """Those that were hit."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "reason": self.reason,
            "position": self.position,
            "detail": self.detail,
            "breakpoints": list(self.breakpoints),
        }


class Judge(Protocol):
    """Tells how sure a prediction is: `confidence.py` has one.

    Its methods take the steps of a branch, which only grow, and in which what the user or reality gave has no `values`;
    the position of the step that is judged; and the anchor, which is the position of the last step before it that is
    known to be true. In a re-anchored run that is always the one before.
    """

    def sure(self, steps: Sequence[Step], position: int, anchor: int) -> Mapping[str, float]:
        """P(right) of each value of a step, by name; of those that it cannot judge there is none."""

    def line(self, steps: Sequence[Step], position: int, anchor: int) -> float | None:
        """P(right) of the event and the line of a step; None if it cannot tell."""

    def marks(self, steps: Sequence[Step], position: int, anchor: int) -> Mapping[str, str]:
        """One to three dots for each value of a step, by name, also where no probability is known."""
