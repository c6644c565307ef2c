"""Mutate-fix: mistakes are made in code that passing tests run, and kept if tests then fail.

    for found in mutate_fix(image, seed=7, worlds=Path("worlds")):
        if isinstance(found, Instance): ...                # gold scores 1, the untouched mistake 0
        else: found.reason                                 # Rejected: "survived", …

Of each mistake first the tests that run the function are run, then all of them in another environment; both must tell the
same; in the end the gold patch is graded like anybody's. What does not fail, fails differently each time, or leaves nothing
that can be collected is rejected, with the reason.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from foretrace.corpus.episodes import is_of_tests
from foretrace.errors import SandboxError
from foretrace.forager.failures import failure_of, read_failures
from foretrace.forager.grading import Verdict, grade_patch
from foretrace.forager.mutation.operators import OPERATORS
from foretrace.forager.mutation.sampling import Mutation, sample
from foretrace.forager.spectrum import Spectrum
from foretrace.forager.story import lines_of
from foretrace.forager.tasks.coverage import spectrum_of
from foretrace.forager.tasks.instance import MUTATE_FIX, Instance
from foretrace.forager.tasks.statements import statement
from foretrace.forager.tasks.world import world_of
from foretrace.repos.image import RepoImage
from foretrace.repos.testing import TestRun, run_tests
from foretrace.repos.verify import LIMITS
from foretrace.sandbox.environment import Environment, Image, Status
from foretrace.sandbox.environments import open_environment
from foretrace.trace.flow import scopes_of


@dataclass(frozen=True, slots=True, kw_only=True)
class MutateOptions:
    """Which mistakes are made."""

    hints: str = "function"
    """How much the agent is told: one of `statements.HINTS`."""
    operators: Collection[str] = tuple(OPERATORS)
    tests: int = 150
    """Tests that run the function, at most; a mistake that concerns more is no local one. Imports are exempt."""
    per_function: int = 4
    """Instances of one function, at most."""
    seconds: float = 300.0
    """Of one run of the tests."""
    backend: str = "bubblewrap"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A mistake that makes no task."""

    mutation: Mutation
    reason: str
    """`survived`, `many tests`, `collection`, `hangs`, `unstable`, `doubts`, `gold`."""


def mutate_fix(
    image: RepoImage,
    *,
    seed: int,
    worlds: Path,
    options: MutateOptions | None = None,
    spectrum: Spectrum | None = None,
    judged: Mapping[str, bool] | None = None,
) -> Iterator[Instance | Rejected]:
    """Tasks of one image, validated one by one, until nothing is left to mutate.

    Args:
        image: its tests must have passed.
        seed: of what is mutated, and of how it is told.
        worlds: folder for the layers with the mistakes; each is named after its instance.
        options: which mistakes are made.
        spectrum: of `image`, if it is known already.
        judged: by `mark_of` their patches, mistakes that an earlier run has judged, and whether they became instances. They
            are not tried again, and what follows is what would have followed.

    Raises:
        SandboxError: environments do not work here.

    """
    options, judged = options or MutateOptions(), judged or {}
    maker = _Maker(image, options, spectrum or spectrum_of(image, backend=options.backend), worlds)
    counts: dict[tuple[str, str], int] = {}
    with open_environment(image.image, LIMITS, backend=options.backend) as environment:
        maker.look(environment)
        for mutation in sample(maker.sources, maker.spectrum.covered(image.passing), seed, options.operators):
            place = (mutation.path, mutation.function)
            if counts.get(place, 0) >= options.per_function:
                continue
            known = judged.get(mark_of(mutation.patch))
            if known is not None:
                counts[place] = counts.get(place, 0) + known
                continue
            found = maker.make(environment, mutation, seed)
            counts[place] = counts.get(place, 0) + isinstance(found, Instance)
            yield found


def mark_of(patch: str) -> str:
    """A short name for a mistake: the beginning of its patch's SHA-256."""
    return hashlib.sha256(patch.encode()).hexdigest()[:8]


class _Maker:
    """What is known of an image, and how a mutation of it becomes an instance."""

    def __init__(self, image: RepoImage, options: MutateOptions, spectrum: Spectrum, worlds: Path) -> None:
        self.image, self.options, self.spectrum, self.worlds = image, options, spectrum, worlds
        self.sources: dict[str, str] = {}
        self.test_files: dict[str, str] = {}

    def look(self, environment: Environment) -> None:
        """Reads the tracked files: code that tests run, and the tests themselves."""
        listed = environment.exec(["git", "ls-files", "-z"], seconds=60).output.decode("utf-8", "surrogateescape")
        covered = self.spectrum.covered(self.image.passing)
        for path in filter(None, listed.split("\0")):
            if is_of_tests(path):
                self.test_files[path] = hashlib.sha256(environment.read(path)).hexdigest()
            elif path in covered:
                try:
                    self.sources[path] = environment.read(path).decode()
                except UnicodeDecodeError:
                    continue

    def make(self, environment: Environment, mutation: Mutation, seed: int) -> Instance | Rejected:
        """Tries a mutation in an environment, which is as it was afterwards."""
        concerned = self._concerned(mutation)
        if mutation.function and len(concerned) > self.options.tests:
            return Rejected(mutation, "many tests")
        before = environment.snapshot()
        try:
            environment.write(mutation.path, mutation.after.encode())
            first = self._run(environment, concerned)
        finally:
            environment.restore(before)
        failing = [test for test in concerned if test not in first.passed]
        if reason := _why_not(first, failing):
            return Rejected(mutation, reason)
        return self._confirm(mutation, seed, concerned, failing)

    def _confirm(self, mutation: Mutation, seed: int, concerned: list[str], failing: list[str]) -> Instance | Rejected:
        """Runs all tests, in the world in which an agent will work, and grades the gold patch."""
        draft = self._draft(mutation, seed)
        world = world_of(draft, self.image.image, self.worlds / draft.instance_id, backend=self.options.backend)
        with open_environment(world, LIMITS, backend=self.options.backend) as fresh:
            second = self._run(fresh, None)
        stable = sorted(self.image.passing)
        now = [test for test in stable if test not in second.passed]
        if reason := _why_not(second, now) or ("unstable" if set(now).intersection(concerned) != set(failing) else ""):
            return Rejected(mutation, reason)
        failures = [f for f in (failure_of(read_failures(second.output), test) for test in now) if f]
        instance = replace(
            draft,
            fail_to_pass=tuple(now),
            pass_to_pass=tuple(test for test in stable if test in second.passed),
            difficulty=self._difficulty(mutation, concerned, now, second),
            problem_statement=statement(
                mutation, now, seed=seed, hints=self.options.hints, trace=failures[0].text if failures else ""
            ),
        )
        return self._with_gold(instance, mutation, world)

    def _with_gold(self, instance: Instance, mutation: Mutation, world: Image) -> Instance | Rejected:
        grade = grade_patch(
            instance,
            instance.patch,
            world,
            self.image,
            seconds=self.options.seconds,
            backend=self.options.backend,
            limits=LIMITS,
        )
        if grade.verdict is Verdict.BROKEN:
            raise SandboxError(f"the sandbox broke while {instance.instance_id} was graded: {grade.reason}")
        return instance if grade.verdict is Verdict.RESOLVED else Rejected(mutation, "gold")

    def _concerned(self, mutation: Mutation) -> list[str]:
        """Passing tests that run the function; all of them for what is outside of all functions."""
        if not mutation.function:
            return sorted(self.image.passing)
        lines = _lines_of(mutation)
        return [test for test in self.spectrum.running(mutation.path, lines) if test in self.image.passing]

    def _run(self, environment: Environment, tests: Sequence[str] | None) -> TestRun:
        slowest = max((self.image.tests[test].seconds for test in self.image.passing), default=0.0)
        return run_tests(environment, self.image, tests, seconds=self.options.seconds, test_seconds=max(5.0, 10 * slowest))

    def _draft(self, mutation: Mutation, seed: int) -> Instance:
        return Instance(
            instance_id=f"{self.image.name}.{mutation.operator}.{mark_of(mutation.patch)}",
            repo=self.image.origin.name,
            base_commit=self.image.head,
            environment_setup_commit=self.image.head,
            patch=mutation.inverse,
            problem_statement="",
            fail_to_pass=(),
            image=self.image.digest,
            source=MUTATE_FIX,
            bug=mutation.patch,
            mutation={name: getattr(mutation, name) for name in ("operator", "family", "path", "function", "line", "what")}
            | {"seed": seed},
            test_files=self.test_files,
            licence=self.image.origin.licence,
        )

    def _difficulty(self, mutation: Mutation, concerned: list[str], failing: list[str], run: TestRun) -> Mapping[str, Any]:
        """What can be counted: how loudly it fails, how near to the mistake, and how well the tests point at it."""
        lines, failures = _lines_of(mutation), read_failures(run.output)
        near = sum(any(p.path == mutation.path and p.line in lines for p in failure.places) for failure in failures)
        scores = {(s.path, s.line): s.score for s in self.spectrum.suspicious(failing)}
        own = max((scores.get((mutation.path, line), 0.0) for line in lines), default=0.0)
        return {
            "failing": len(failing),
            "share": round(len(failing) / len(self.image.passing), 4),
            "concerned": len(concerned),
            "errors": sorted({failure.error for failure in failures}),
            "traceback": round(near / max(1, len(failures)), 4),  # share of the failures whose traceback shows the function
            "suspicion": round(own, 4),
            "rank": 1 + sum(score > own for score in scores.values()),  # of the function's worst line, among all lines
            "function_lines": len(lines),
            "changed_lines": sum(lines_of(mutation.patch)),
            "files": 1,
        }


def _why_not(run: TestRun, failing: Collection[str]) -> str:
    """Why a run speaks against a mutation; empty if it does not."""
    if run.status is Status.BROKEN:
        raise SandboxError(f"the sandbox broke while tests ran: {run.output[-500:]}")
    if run.doubts:
        return "doubts"
    if run.status is not Status.OK:
        return "hangs"
    if not failing:
        return "survived"
    return "" if run.outcomes else "collection"


def _lines_of(mutation: Mutation) -> range:
    """Lines of the function that was changed, in the text before; of an import, just its own."""
    scopes = [
        s
        for s in scopes_of(mutation.before)
        if s.kind == "function" and s.name.replace(".<locals>.", ".") == mutation.function
    ]
    around = [range(s.def_line, max(max(span) for span in s.spans.values()) + 1) for s in scopes if s.spans]
    return next((lines for lines in around if mutation.line in lines), range(mutation.line, mutation.line + 1))
