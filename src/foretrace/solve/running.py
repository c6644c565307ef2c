"""Checks in the sandbox: what really happens. What is expected never goes there.

with Runner(Setting()) as runner:
    runner.run(source, checks, seconds=4)          # a Ran for each, or None of what did not come to run
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from foretrace.errors import SandboxError
from foretrace.evals.scorers.outcomes import Called
from foretrace.evals.scorers.program import QUICK_LIMITS, ProgramScorer
from foretrace.evals.types import Reason, Setting
from foretrace.sandbox import SandboxLimits, Status
from foretrace.solve.types import Check, Ran

_CHARACTERS = 2_000
"""Of a value that is kept."""


class Runner:
    """For one thread. The sandbox starts when it is first needed."""

    def __init__(self, setting: Setting | None = None, limits: SandboxLimits = QUICK_LIMITS) -> None:
        """`limits` are those of one program's checks together.

        Raises:
            RefusedError: this isolation cannot be had here.

        """
        self.setting = setting or Setting()
        self._limits = limits
        self._scorer = ProgramScorer(replace(self.setting, repeats=0), limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the sandbox."""
        self._scorer.close()

    def run(self, source: str, checks: Sequence[Check], seconds: float | None = None) -> list[Ran]:
        """What becomes of each check. One that ends the process ends no other: those after it run in a process of their own.

        Raises:
            SandboxError: the sandbox failed, and nothing is known.

        """
        limits = self._limits if seconds is None else replace(self._limits, seconds=min(seconds, self._limits.seconds))
        if checks and checks[0].is_input:
            return [self._program(source, check, limits) for check in checks]
        found: list[Ran] = []
        while len(found) < len(checks):
            left = checks[len(found) :]
            outcome = self._scorer.call(source, [check.text for check in left], limits=limits)
            if outcome.status is Status.BROKEN:
                raise SandboxError(f"a check could not be run: {outcome.error}")
            found += [_ran(check, called) for check, called in zip(left, outcome.calls, strict=False)]
            if len(found) == len(checks):
                break
            failed = Called(error=outcome.error or str(outcome.status))
            is_source = not outcome.calls and outcome.status is Status.DONE
            found += [_ran(check, failed) for check in (checks[len(found) :] if is_source else [checks[len(found)]])]
        return found

    def _program(self, source: str, check: Check, limits: SandboxLimits) -> Ran:
        assert check.expected is not None, "an input has an output"
        verdict = self._scorer.score_stdin(source, [(check.text, check.expected)], limits=limits)
        if verdict.reason is Reason.BROKEN:
            raise SandboxError(f"a check could not be run: {verdict.detail}")
        return Ran(passed=verdict.official, error="" if verdict.official else verdict.detail)


def _ran(check: Check, called: Called) -> Ran:
    passed = check.holds(called.value, called.error)
    return Ran(passed=passed, value="" if called.error else repr(called.value)[:_CHARACTERS], error=called.error)
