"""Runs a built image's tests several times and says which of them can be relied on.

    checked = combine([run_once(image, tests, backend="bubblewrap") for _ in range(3)])
    checked.tests["tests/test_a.py::test_b"].flaky, checked.share

Each run has a fresh environment and no network. A test is good if it ended alike each time; what differs, is missing once,
or has a name that is made anew each time is flaky, and so is what depends on time (`clocks`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from foretrace.errors import SandboxError
from foretrace.repos.image import TestRecord
from foretrace.repos.testing import TEST_SECONDS, HasTests, Outcome, TestRun, run_tests
from foretrace.sandbox.environment import EnvironmentLimits, Image, Status
from foretrace.sandbox.environments import open_environment

LIMITS = EnvironmentLimits(memory_bytes=2 << 30, processes=512, disk_bytes=1 << 30, output_bytes=1 << 18)
_SPARE = 60.0
"""Seconds that an environment lives longer than the tests in it."""
_TRIES = 2
"""Of a run that the box itself broke."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What the runs told."""

    tests: Mapping[str, TestRecord]
    runs: Sequence[TestRun] = field(repr=False)

    @property
    def first(self) -> TestRun:
        """The first run."""
        return self.runs[0]

    @property
    def passing(self) -> int:
        """Tests that passed each time."""
        return sum(test.outcome is Outcome.PASSED and not test.flaky for test in self.tests.values())

    @property
    def share(self) -> float:
        """Of the tests that are not skipped or expected to fail, those that pass, in the worst of the runs."""
        return min(map(_share, self.runs))


def _share(run: TestRun) -> float:
    """A file that cannot be imported counts as a test that fails; 0 if there are no tests."""
    counted = len(run.outcomes) - run.count(Outcome.SKIPPED, Outcome.XFAILED)
    return len(run.passed) / (counted + len(run.uncollected)) if counted else 0.0


def run_once(
    image: Image,
    tests: HasTests,
    *,
    backend: str,
    only: Sequence[str] | None = None,
    seconds: float = 900.0,
    test_seconds: float = TEST_SECONDS,
) -> TestRun:
    """One run in a fresh environment, again if the box itself broke.

    Raises:
        SandboxError: it broke each time.

    """
    limits = replace(LIMITS, seconds=seconds + _SPARE, cpu_seconds=int(seconds + _SPARE))
    for _ in range(_TRIES):
        with open_environment(image, limits, backend=backend) as environment:
            run = run_tests(environment, tests, only, seconds=seconds, test_seconds=test_seconds)
        if run.status is not Status.BROKEN:
            return run
    raise SandboxError(f"the sandbox {backend!r} broke while tests ran: {run.output[-500:]}")


def combine(runs: Sequence[TestRun], timed: Collection[str] = ()) -> Verified:
    """Compares runs. `timed` tests are flaky however they ended; and where a name of a parametrised test comes and goes, all
    of its names are.
    """
    names = dict.fromkeys(name for run in runs for name in run.outcomes)
    restless = {_function(name) for name in names if any(name not in run.outcomes for run in runs)}
    tests = {}
    for name in names:
        outcomes = [run.outcomes[name] for run in runs if name in run.outcomes]
        seconds = median(run.durations.get(name, 0.0) for run in runs)
        is_flaky = len({*outcomes}) > 1 or _function(name) in restless or name in timed
        tests[name] = TestRecord(outcome=outcomes[0], seconds=round(seconds, 4), flaky=is_flaky)
    return Verified(tests=tests, runs=tuple(runs))


def _function(name: str) -> str:
    """A test's name without its parameters."""
    return name.partition("[")[0]
