"""Where patches of one task are tried: each in a fresh environment, with the repository's own tests and with generated ones.

    arena = Arena(instance, world, tests, backend="bubblewrap")
    before = arena.try_patch("", generated)             # without any patch
    arena.facts(patch, generated, before)               # what it breaks, and which generated tests pass

Files that decide how tests run are put back as they were, whatever a patch did to them (`forager/grading.py`); of the tests
that must pass in the end nothing is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from foretrace.errors import SandboxError
from foretrace.forager.grading import apply_patch, put_tests_back
from foretrace.forager.tasks.instance import Instance
from foretrace.repos.commands import split_arguments
from foretrace.repos.testing import HasTests, TestCommand, TestRun, run_tests
from foretrace.sandbox.environment import Environment, EnvironmentLimits, Image, Status
from foretrace.sandbox.environments import open_environment
from foretrace.solve.patches.choosing import Facts, Test

FOLDER = "foretrace_generated"
"""Of generated tests, below the root of the repository."""
_PATCH = "/tmp/foretrace.patch"


@dataclass(frozen=True, slots=True)
class Tried:
    """What ran in one environment."""

    existing: frozenset[str]
    """The repository's tests that passed."""
    generated: frozenset[int]
    """Generated tests that passed, all of their functions."""
    why: str = ""
    """Why the patch does not apply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """One task, its image with the mistake in it, and how its tests are run."""

    instance: Instance
    world: Image
    tests: HasTests
    backend: str = "bubblewrap"
    seconds: float = 900.0
    """Of all existing tests together, and of the generated ones."""

    def before(self, generated: Sequence[Test]) -> Tried:
        """Without any patch, twice: a test that passes now and then tells nothing.

        Raises:
            SandboxError: the environment failed.

        """
        first, again = self.try_patch("", generated), self.try_patch("", generated)
        return Tried(first.existing & again.existing, first.generated | again.generated)

    def facts(self, patch: str, generated: Sequence[Test], before: Tried) -> Facts:
        """What a patch does. Raises SandboxError if the environment failed."""
        tried = self.try_patch(patch, generated)
        if tried.why:
            return Facts(applies=False, why=tried.why)
        return Facts(broken=before.existing - tried.existing, passed=tried.generated)

    def try_patch(self, patch: str, generated: Sequence[Test]) -> Tried:
        """Applies a patch, if it is one, and runs all tests. Raises SandboxError if the environment failed."""
        limits = EnvironmentLimits(seconds=2 * self.seconds)
        with open_environment(self.world, limits, backend=self.backend) as environment:
            if patch and (problem := apply_patch(environment, _PATCH, patch)):
                return Tried(frozenset(), frozenset(), problem)
            put_tests_back(environment, self.instance)
            existing = self._run(environment, self.tests).passed
            return Tried(existing, self._generated(environment, generated))

    def _generated(self, environment: Environment, generated: Sequence[Test]) -> frozenset[int]:
        """Each test file runs by itself: one that hangs or crashes is no other's failure."""
        passed = set()
        for number, test in enumerate(generated):
            path = f"{FOLDER}/test_generated_{number}.py"
            environment.write(f"{environment.workdir}/{path}", test.source.encode())
            run = self._run(environment, _only(self.tests, path))
            if run.outcomes and len(run.passed) == len(run.outcomes) and not run.uncollected:
                passed.add(number)
            environment.remove(f"{environment.workdir}/{path}")
        return frozenset(passed)

    def _run(self, environment: Environment, tests: HasTests) -> TestRun:
        run = run_tests(environment, tests, seconds=self.seconds)
        if run.status is Status.BROKEN:
            raise SandboxError(f"the tests of {self.instance.instance_id} could not be run: {run.ended or run.status}")
        return run


@dataclass(frozen=True, slots=True)
class _Only:
    """Some of an image's tests."""

    command: TestCommand


def _only(tests: HasTests, path: str) -> HasTests:
    """How the tests of one file are run."""
    options, _ = split_arguments(tests.command.arguments)
    return _Only(replace(tests.command, arguments=(*options, path)))
