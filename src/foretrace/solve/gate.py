"""Which checks to run, when predictions are nearly as good: what is predicted surely is skipped, what is in doubt runs.

    gate = Gate(certainty=0.95)
    gate.skips(Foreseen(value="8", passes=0.97, agrees=True))        # True: it will pass
    gate.skips(Foreseen(value="7", passes=0.02, agrees=False))       # True: it will fail
    gate.skips(Foreseen(value="8", passes=0.55, agrees=True))        # False: run it

What such a gate is worth is counted by `Gated`: of the checks that it would skip, how many end as it said.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from foretrace.errors import UsageError
from foretrace.evals.statistics import Share
from foretrace.solve.types import Foreseen


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """When a prediction is as good as a run."""

    certainty: float = 0.95
    """P(a check passes) from which on it is not run; and P(it fails)."""

    def __post_init__(self) -> None:
        if not 0.5 < self.certainty <= 1:
            raise UsageError(f"a certainty is a probability above a half, not {self.certainty}")

    def skips(self, foreseen: Foreseen | None) -> bool:
        """Whether running would hardly tell anything new. What has no probability always runs."""
        if foreseen is None or foreseen.passes is None:
            return False
        return max(foreseen.passes, 1 - foreseen.passes) >= self.certainty


@dataclass(frozen=True, slots=True)
class Gated:
    """What a gate would have done on checks that were foreseen and run."""

    skipped: Share
    """Of all checks, those that it skips: runs saved."""
    precision: Share
    """Of those that it says pass, those that do."""
    recall: Share
    """Of those that pass, those that it says so of without a run."""
    failing: Share
    """Of those that it says fail, those that do."""

    @classmethod
    def of(cls, gate: Gate, outcomes: Iterable[tuple[Foreseen, bool]]) -> "Gated":
        """Counts; each outcome is what was foreseen and whether the check passed when it ran."""
        listed = [(gate.skips(foreseen), bool(foreseen.agrees), passed) for foreseen, passed in outcomes]
        return cls(
            skipped=Share.of(skipped for skipped, _, _ in listed),
            precision=Share.of(passed for skipped, says, passed in listed if skipped and says),
            recall=Share.of(skipped and says for skipped, says, passed in listed if passed),
            failing=Share.of(not passed for skipped, says, passed in listed if skipped and not says),
        )

    def to_json(self) -> dict[str, Any]:
        """For records."""
        return {name: getattr(self, name).to_dict() for name in self.__slots__}
