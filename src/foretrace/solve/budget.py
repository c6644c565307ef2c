"""What solving may cost: tokens, runs, seconds; and what it has cost.

    meter = Meter(Budget(tokens=65_536, runs=500, seconds=300))
    meter.tokens(count=8, each=2048)         # how many tokens each of eight answers may have now
    meter.stopped                            # 'tokens', 'runs', 'seconds', or '' as long as nothing ran out

Tokens are those that models write, in answers and in predicted traces; a run is one check of one program. No limit is
passed, but that an answer or a run that has begun is waited for.
"""

import math
import time
from dataclasses import dataclass, field
from typing import Any

from foretrace.errors import UsageError

_LEAST = 16
"""Tokens in which something can be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Limits; None: there is none."""

    tokens: int | None = 131_072
    runs: int | None = 2_000
    seconds: float | None = 600.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            limit = getattr(self, name)
            if limit is not None and not 0 <= limit < math.inf:
                raise UsageError(f"a budget is a number from 0 on, or none: {name} is {limit}")


@dataclass(slots=True)
class Meter:
    """Counts against a budget."""

    budget: Budget
    written: int = 0
    """Tokens of answers."""
    read: int = 0
    """Tokens of questions, which the budget does not limit."""
    predicted: int = 0
    """Tokens of traces."""
    runs: int = 0
    cost: float = 0.0
    stopped: str = ""
    """What ran out first."""
    _began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    def may_go_on(self) -> bool:
        """Whether there is time left; it is said in `stopped` if not."""
        return not self._is_out("seconds", self.seconds)

    def tokens(self, count: int, each: int) -> int:
        """Tokens that each of `count` answers may have, `each` at most; 0 if that is too few to say anything."""
        if self.budget.tokens is None or count == 0:
            return each
        fair = min(each, (self.budget.tokens - self.written - self.predicted) // count)
        if fair < min(_LEAST, each):
            self.stopped = self.stopped or "tokens"
            return 0
        return fair

    def take_runs(self, wanted: int) -> int:
        """As many runs as may be made of those that are wanted; they are counted."""
        granted = wanted if self.budget.runs is None else max(0, min(wanted, self.budget.runs - self.runs))
        if granted < wanted:
            self.stopped = self.stopped or "runs"
        self.runs += granted
        return granted

    def seconds_left(self, most: float) -> float:
        """Seconds that one thing may take."""
        if self.budget.seconds is None:
            return most
        return max(0.1, min(most, self.budget.seconds - self.seconds))

    def _is_out(self, name: str, spent: float) -> bool:
        limit = getattr(self.budget, name)
        is_out = limit is not None and spent >= limit
        if is_out:
            self.stopped = self.stopped or name
        return is_out

    def to_json(self) -> dict[str, Any]:
        """For receipts."""
        limits = {name: getattr(self.budget, name) for name in Budget.__slots__}
        spent = {"written": self.written, "read": self.read, "predicted": self.predicted, "runs": self.runs}
        return {"budget": limits, **spent, "seconds": round(self.seconds, 2), "cost": self.cost, "stopped": self.stopped}
