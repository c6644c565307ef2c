"""Whether a patch solves an instance: applied once in a fresh environment, judged by tests that it cannot have touched.

    grade = grade_patch(instance, patch, world, tests)
    grade.verdict                     # Verdict.RESOLVED
    grade.fail_to_pass                # {"tests/test_a.py::test_b": True}

Before the tests run, every file of theirs and of their configuration is as the image has it, whatever the patch did to it:
what it changed is put back, and what it added of that kind is removed. A test that is absent or skipped, or of whose result
there is any doubt, has not passed. That the environment broke is no verdict.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from foretrace.corpus.episodes import is_of_tests
from foretrace.forager.tasks.instance import Instance
from foretrace.repos.testing import HasTests, TestRun, run_tests
from foretrace.sandbox.environment import Environment, EnvironmentLimits, Image, Kind, Status
from foretrace.sandbox.environments import open_environment

CONFIGURATION = frozenset(
    {"pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "setup.cfg", "pyproject.toml"}
    | {"sitecustomize.py", "usercustomize.py", "entry_points.txt"}
)
"""Files, wherever they are, that decide how tests run; `entry_points.txt`, of a distribution's metadata, names plugins."""
_PATCH, _TESTS = "/tmp/foretrace.patch", "/tmp/foretrace.tests"


class Verdict(StrEnum):
    """What is said of a patch."""

    RESOLVED = "resolved"
    FAILED = "failed"
    """It applies, but not all tests pass that must."""
    EMPTY = "empty"
    """There is no patch."""
    UNAPPLIED = "unapplied"
    """It does not apply."""
    BROKEN = "broken"
    """Nothing is known: the environment failed. To be done again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """The verdict, and what it rests on."""

    verdict: Verdict
    reason: str = ""
    """Why it is not resolved, in words."""
    fail_to_pass: Mapping[str, bool] = field(default_factory=dict)
    pass_to_pass: Mapping[str, bool] = field(default_factory=dict)
    put_back: tuple[str, ...] = ()
    """Files of tests or of their configuration that the patch had changed or added."""
    doubts: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def score(self) -> float:
        """1 if it is resolved, else 0."""
        return float(self.verdict is Verdict.RESOLVED)

    def to_json(self) -> dict[str, Any]:
        """For `journal.record_grade` and reports."""
        named = {name: getattr(self, name) for name in self.__slots__}
        return named | {"verdict": str(self.verdict), "put_back": list(self.put_back), "doubts": list(self.doubts)}


def grade_patch(
    instance: Instance,
    patch: str,
    world: Image,
    tests: HasTests,
    *,
    everything: bool = True,
    seconds: float = 900.0,
    backend: str = "bubblewrap",
    limits: EnvironmentLimits | None = None,
) -> Grade:
    """Grades one patch in a fresh environment.

    Args:
        instance: what must pass.
        patch: for `git apply`; applied as it is or, where its context has moved, by a three-way merge, and never in part.
        world: the image with the mistake in it (`make_world`).
        tests: the repository's image, which knows how its tests are run.
        everything: run the whole suite, as in the image's own runs; else only the tests that must pass.
        seconds: of the tests.
        backend: of the environment.
        limits: of the environment.

    Raises:
        SandboxError: the environment cannot be opened.

    """
    if not patch.strip():
        return Grade(verdict=Verdict.EMPTY, reason="there is no patch")
    with open_environment(world, limits or EnvironmentLimits(), backend=backend) as environment:
        if problem := apply_patch(environment, _PATCH, patch):
            return Grade(verdict=Verdict.UNAPPLIED, reason=problem)
        put_back = put_tests_back(environment, instance)
        if instance.test_patch and (problem := apply_patch(environment, _TESTS, instance.test_patch)):
            return Grade(verdict=Verdict.BROKEN, reason=f"the instance's own tests do not apply: {problem}")
        if others := _not_as_known(environment, instance):
            return Grade(
                verdict=Verdict.BROKEN, reason=f"not the tests that the instance was made with: {', '.join(others)}"
            )
        wanted = None if everything else [*instance.fail_to_pass, *instance.pass_to_pass]
        run = run_tests(environment, tests, wanted, seconds=seconds)
    return _judge(instance, run, put_back)


def put_tests_back(environment: Environment, instance: Instance) -> tuple[str, ...]:
    """Brings the files that decide about tests back to what the image has; those that were touched.

    What the image has beside its commit, such as the metadata of an installed project, cannot be put back: it is removed.

    Raises:
        SandboxError: the environment broke.

    """
    touched = {}
    for change in environment.changes(environment.workdir):
        path = PurePosixPath(change.path).relative_to(environment.workdir).as_posix()
        if not {".git", "__pycache__"}.intersection(path.split("/")) and decides(path, instance):
            touched[path] = change
    for path, change in sorted(touched.items(), key=lambda item: item[1].kind is not Kind.ADDED):  # a folder for a file
        is_back = change.kind is not Kind.ADDED and _checked_out(environment, path)
        if not is_back and change.kind is not Kind.REMOVED:
            environment.remove(change.path)
    return tuple(touched)


def decides(path: str, instance: Instance) -> bool:
    """Whether a file is part of the tests or of how they run."""
    return path in instance.test_files or is_of_tests(path) or PurePosixPath(path).name in CONFIGURATION


def _checked_out(environment: Environment, path: str) -> bool:
    return environment.exec(["git", "checkout", "--quiet", "HEAD", "--", path], seconds=60).code == 0


def apply_patch(environment: Environment, at: str, patch: str) -> str:
    """Applies a patch whole or not at all; why not, if not."""
    environment.write(at, patch.encode("utf-8", "surrogateescape"))
    for way in ([], ["--3way"]):
        done = environment.exec(["git", "apply", "--whitespace=nowarn", *way, at], seconds=60)
        if done.status is Status.OK and done.code == 0:
            return ""
    return done.output.decode(errors="replace").strip()[:500] or str(done.status)


def _not_as_known(environment: Environment, instance: Instance) -> list[str]:
    found = {path: hashlib.sha256(environment.read(path)).hexdigest() for path in instance.test_files}
    return [path for path, digest in instance.test_files.items() if found[path] != digest]


def _judge(instance: Instance, run: TestRun, put_back: tuple[str, ...]) -> Grade:
    passed = run.passed
    failing = {test: test in passed for test in instance.fail_to_pass}
    passing = {test: test in passed for test in instance.pass_to_pass}
    verdict = Verdict.RESOLVED if all(failing.values()) and all(passing.values()) else Verdict.FAILED
    if run.status is Status.BROKEN:
        verdict = Verdict.BROKEN
    reasons = [
        *run.doubts,
        run.ended,
        f"{sum(not ok for ok in failing.values())} of {len(failing)} tests still fail" if not all(failing.values()) else "",
        f"{sum(not ok for ok in passing.values())} of {len(passing)} tests fail that passed"
        if not all(passing.values())
        else "",
    ]
    return Grade(
        verdict=verdict,
        reason="" if verdict is Verdict.RESOLVED else "; ".join(filter(None, reasons)),
        fail_to_pass=failing,
        pass_to_pass=passing,
        put_back=put_back,
        doubts=run.doubts,
        seconds=run.seconds,
    )
