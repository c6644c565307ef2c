"""Issue-fix: commits that changed code and tests at once become tasks, if their tests fail before and pass after.

    for found in issue_fix(Path("checkout"), images=Path("images")):
        if isinstance(found, Instance): ...
        else: found.reason                                 # Refused: "nothing fails", …

An image is built of the commit before. In it the tests of the fix are run twice without the fix and twice with it, each time
in a fresh environment. Tests that fail both times before and pass both times after are what an agent has to bring about; a
test that does not end alike, or depends on time, is in neither list. So the fix is needed (they fail without it) and enough
(they pass with it).
"""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foretrace.corpus.episodes import is_of_tests
from foretrace.errors import SandboxError
from foretrace.forager.benchmarks import why_not
from foretrace.forager.grading import Verdict, grade_patch
from foretrace.forager.story import lines_of
from foretrace.forager.tasks.history import Fix, fixes
from foretrace.forager.tasks.instance import ISSUE_FIX, Instance
from foretrace.repos.build import BuildOptions, build
from foretrace.repos.clocks import timed_tests
from foretrace.repos.image import RepoImage
from foretrace.repos.sources import Source
from foretrace.repos.testing import TestRun, run_tests
from foretrace.repos.verify import LIMITS
from foretrace.sandbox.environment import Environment, Status
from foretrace.sandbox.environments import open_environment

RUNS = 2
"""Of the tests, before and after each."""
_PATCH = "/tmp/foretrace.patch"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueOptions:
    """Which fixes are tried, and how."""

    lines: int = 400
    """Of the code's patch, at most."""
    seconds: float = 600.0
    """Of one run of the tests."""
    build: BuildOptions = field(default_factory=BuildOptions)

    @property
    def backend(self) -> str:
        """Of all environments."""
        return self.build.backend


@dataclass(frozen=True, slots=True)
class Refused:
    """A fix that makes no task."""

    fix: Fix
    reason: str
    """`no text`, `no image`, `does not apply`, `nothing fails`, `everything fails` (without the fix nothing is imported),
    `breaks tests`, `hangs`, `doubts`, `gold`; or `benchmark`: of such a repository nothing is made."""
    detail: str = ""


def issue_fix(
    repo: Path, *, images: Path, options: IssueOptions | None = None, judged: Collection[str] = ()
) -> Iterator[Instance | Refused]:
    """The tasks of a repository's history, newest first.

    Args:
        repo: a checkout or a bare repository; nothing in it is changed or run.
        images: folder of images, in which those of the commits before are built.
        options: which fixes are tried.
        judged: the first twelve digits of commits that an earlier run has judged; they are left out.

    Raises:
        UsageError: it is no git repository.
        SandboxError: environments do not work here.

    """
    options = options or IssueOptions()
    for fix in fixes(repo, lines=options.lines):
        if fix.commit[:12] not in judged:
            found = _judged(repo, fix, images, options)
            yield found
            if isinstance(found, Refused) and found.reason == "benchmark":
                return


def _judged(repo: Path, fix: Fix, images: Path, options: IssueOptions) -> Instance | Refused:
    """What becomes of a fix."""
    if not fix.text:
        return Refused(fix, "no text")
    source = Source(kind="git", place=repo.resolve().as_uri(), revision=fix.parent)
    built = build(source, images, options.build)
    if built.image is None:
        return Refused(fix, "no image", built.reason)
    image = built.image
    if reason := why_not(image.origin.name, image.modules):
        return Refused(fix, "benchmark", reason)
    trial = _Trial(image, fix, options)
    before, after = ([trial.run(with_fix=fixed) for _ in range(RUNS)] for fixed in (False, True))
    if any(run is None for run in (*before, *after)):
        return Refused(fix, "does not apply")
    runs = [run for run in (*before, *after) if run is not None]
    if reason := _why_not(runs):
        return Refused(fix, reason)
    passed = [run.passed - trial.restless(run.passed) for run in runs]
    never, always = frozenset.union(*passed[:RUNS]), frozenset.intersection(*passed[RUNS:])
    stable = frozenset.intersection(*passed[:RUNS])
    if not always - never:
        return Refused(fix, "nothing fails")
    if not always & stable:
        return Refused(fix, "everything fails")
    if broken := stable - frozenset.union(*passed[RUNS:]):
        return Refused(fix, "breaks tests", ", ".join(sorted(broken)[:3]))
    instance = _instance(image, fix, sorted(always - never), sorted(always & stable), trial.test_files)
    grade = grade_patch(
        instance, fix.patch, image.image, image, seconds=options.seconds, backend=options.backend, limits=LIMITS
    )
    if grade.verdict is Verdict.BROKEN:
        raise SandboxError(f"the sandbox broke while {instance.instance_id} was graded: {grade.reason}")
    return instance if grade.verdict is Verdict.RESOLVED else Refused(fix, "gold", grade.reason)


class _Trial:
    """Runs the tests of a fix, with it or without it."""

    def __init__(self, image: RepoImage, fix: Fix, options: IssueOptions) -> None:
        self.image, self.fix, self.options = image, fix, options
        self.test_files: dict[str, str] = {}
        """SHA-256 of what tests consist of, the fix's own included."""
        self._sources: dict[str, str] = {}

    def run(self, *, with_fix: bool) -> TestRun | None:
        """One run in a fresh environment; None if a patch does not apply."""
        with open_environment(self.image.image, LIMITS, backend=self.options.backend) as environment:
            for patch in (self.fix.test_patch, self.fix.patch) if with_fix else (self.fix.test_patch,):
                environment.write(_PATCH, patch.encode())
                if environment.exec(["git", "apply", "--whitespace=nowarn", _PATCH], seconds=60).code:
                    return None
            if not self.test_files:
                self._read(environment)
            return run_tests(environment, self.image, seconds=self.options.seconds)

    def restless(self, tests: Collection[str]) -> frozenset[str]:
        """Those of some tests that are known to be flaky, or depend on time."""
        return (self.image.flaky & set(tests)) | timed_tests(tests, self._sources)

    def _read(self, environment: Environment) -> None:
        listed = environment.exec(["git", "ls-files", "-z"], seconds=60).output.decode("utf-8", "surrogateescape")
        removed = {change.path for change in environment.changes(environment.workdir) if change.kind == "removed"}
        paths = {path for path in (*listed.split("\0"), *self.fix.test_files) if path and is_of_tests(path)}
        there = [path for path in sorted(paths) if f"{environment.workdir}/{path}" not in removed]
        contents = {path: environment.read(path) for path in there}
        self.test_files = {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
        self._sources = {
            path: content.decode(errors="replace") for path, content in contents.items() if path.endswith(".py")
        }


def _why_not(runs: list[TestRun]) -> str:
    """Why runs speak against a fix; empty if they do not."""
    for run in runs:
        if run.status is Status.BROKEN:
            raise SandboxError(f"the sandbox broke while tests ran: {run.output[-500:]}")
    if any(run.doubts for run in runs):
        return "doubts"
    return "" if all(run.status is Status.OK for run in runs) else "hangs"


def _instance(image: RepoImage, fix: Fix, failing: list[str], passing: list[str], test_files: dict[str, str]) -> Instance:
    difficulty: dict[str, Any] = {
        "failing": len(failing),
        "share": round(len(failing) / (len(failing) + len(passing)), 4),
        "changed_lines": sum(lines_of(fix.patch)),
        "files": fix.patch.count("\ndiff --git ") + 1,
    }
    return Instance(
        instance_id=f"{image.origin.name}-{fix.commit[:12]}",
        repo=image.origin.name,
        base_commit=fix.parent,
        environment_setup_commit=fix.parent,
        patch=fix.patch,
        test_patch=fix.test_patch,
        problem_statement=fix.text + "\n",
        created_at=fix.created_at,
        version=image.origin.version,
        fail_to_pass=tuple(failing),
        pass_to_pass=tuple(passing),
        image=image.digest,
        source=ISSUE_FIX,
        difficulty=difficulty,
        test_files=test_files,
        licence=image.origin.licence,
    )
