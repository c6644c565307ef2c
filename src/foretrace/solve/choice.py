"""Which candidate is kept, by what is known of each.

    best(candidates, checks, Select.VERIFIED)        # its number

The ways, from the cheapest on. GREEDY: the first. MAJORITY: what was written most often. PREDICTED: by what is foreseen of
the checks, nothing is run. GATED: what is foreseen surely is believed, the rest is run. VERIFIED: everything is run.
"""

from collections.abc import Sequence
from enum import StrEnum
from math import log

from foretrace.solve.types import Candidate, Check, Origin

Key = tuple[float, ...]
_LEAST = 0.01
"""Probability that is given to a check that fails, so that programs that fail differ by how many they fail."""


class Select(StrEnum):
    """How one of several is chosen."""

    GREEDY = "greedy"
    MAJORITY = "majority"
    PREDICTED = "predicted"
    GATED = "gated"
    VERIFIED = "verified"

    @property
    def foresees(self) -> bool:
        """Whether it needs predictions."""
        return self in (Select.PREDICTED, Select.GATED)

    @property
    def runs(self) -> bool:
        """Whether it runs anything."""
        return self in (Select.GATED, Select.VERIFIED)


def best(candidates: Sequence[Candidate], checks: Sequence[Check], select: Select) -> int:
    """The number of the candidate to keep. Of those that are alike the earlier one."""
    assert candidates, "of nothing there is no best"
    if select is Select.GREEDY:
        return 0
    if select is Select.MAJORITY:
        return max(range(len(candidates)), key=lambda n: (candidates[n].votes, -n))
    keys = ranking(candidates, list(checks))
    return max(range(len(candidates)), key=lambda n: (keys[n], -n))


def ranking(candidates: Sequence[Candidate], checks: list[Check]) -> list[Key]:
    """The key of each candidate, larger is better.

    First what the statement asks for: the probability that all its checks pass; where some of them did not run, times how
    often the program was written, for a prediction is weak evidence, and that is some, too. Among equals there, how many
    drawn programs do the same on arguments that nobody gave (as in CodeT, arXiv:2207.10397); then the model's own tests,
    which may be wrong; then votes; then the shorter one.
    """
    asked = [_passing(each, checks) for each in candidates]
    behaviours = [_behaviour(each, checks) for each in candidates]

    def agreeing(number: int) -> int:
        return sum(
            other.votes
            for n, other in enumerate(candidates)
            if asked[n] >= asked[number] and behaviours[n] == behaviours[number]
        )

    return [
        (
            round(asked[n] + (log(each.votes) if _is_in_doubt(each, checks) else 0.0), 9),
            agreeing(n) if behaviours[n] else each.votes,
            sum(cell.credit for _, cell in each.known(checks, Origin.MODEL)),
            each.votes,
            -len(each.source),
        )
        for n, each in enumerate(candidates)
    ]


def _passing(candidate: Candidate, checks: list[Check]) -> float:
    """Logarithm of the probability that all checks of the statement pass; of what fails some, lower with each."""
    return sum(log(max(cell.credit, _LEAST)) for _, cell in candidate.known(checks, Origin.STATEMENT))


def _is_in_doubt(candidate: Candidate, checks: list[Check]) -> bool:
    return any(cell.ran is None and cell.foreseen for _, cell in candidate.known(checks, Origin.STATEMENT))


def _behaviour(candidate: Candidate, checks: list[Check]) -> tuple[str, ...]:
    """What it does with arguments that nobody gave; empty if nothing is known of that."""
    found = tuple(cell.behaviour for _, cell in candidate.known(checks, Origin.GENERATED))
    return found if any(found) else ()
