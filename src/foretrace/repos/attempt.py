"""One try at a plan: carried out from nothing, tested once, judged; and what the heuristics would change after it.

    attempt = try_plan(plan, source, origin, box, work, limits)
    attempt.reason                                   # empty: good enough
    next(repair(attempt, detected), None)            # a plan that may do better

`repair` is to heuristics what a rescue (`build.Rescue`) is to an agent: both see an attempt with all that was said, and give
plans that are then tried from nothing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from foretrace.repos import history, leaks
from foretrace.repos.detect import Detected
from foretrace.repos.image import environment_of, system
from foretrace.repos.install import WITH_NETWORK, Box, Installed, install, remove_leftovers
from foretrace.repos.plan import TESTBED, InstallPlan
from foretrace.repos.requirements import distribution_of, distribution_of_fixture, name_of, unpinned
from foretrace.repos.sources import Origin
from foretrace.repos.testing import Outcome, TestCommand, TestRun
from foretrace.repos.verify import Verified, combine, run_once
from foretrace.sandbox.environment import Image

_MISSING = re.compile(r"No module named '([\w.]*\w)'")
_FIXTURE = re.compile(r"fixture '(\w+)' not found")
_UNRESOLVED = re.compile(
    r"No matching distribution found for ([\w.-]+)|Failed building wheel for ([\w.-]+)"  # pip
    r"|Because ([\w.-]+) was not found|Failed to build `([\w.-]+)=="  # uv
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestLimits:
    """What an image's tests must be like."""

    __test__ = False

    least: float = 0.8
    """Share of the tests that must pass, each time; those that are skipped do not count."""
    runs: int = 3
    seconds: float = 900.0
    """Of one run."""
    test_seconds: float = 60.0
    """Of one test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What `run_tests` needs of an image that has no manifest yet."""

    command: TestCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What became of a plan."""

    plan: InstallPlan
    reason: str
    """Why it is not good enough; empty if it is."""
    log: str
    """All that was said: by pip, by commands, by the tests."""
    installed: Installed
    run: TestRun | None = None
    """Its tests, once."""
    head: str = ""
    """The commit that the image has."""
    image: Image | None = field(default=None, repr=False)
    own: frozenset[str] = frozenset()
    """Names of modules that the repository has."""

    @property
    def passing(self) -> int:
        """How many tests passed."""
        return len(self.run.passed) if self.run else -1

    @property
    def missing(self) -> list[str]:
        """Modules that the tests did not find and the repository does not have."""
        return [name for name in dict.fromkeys(_MISSING.findall(self._said)) if name.split(".")[0] not in self.own]

    @property
    def fixtures(self) -> list[str]:
        """Fixtures that no plugin brought."""
        return list(dict.fromkeys(_FIXTURE.findall(self._said)))

    @property
    def _said(self) -> str:
        if self.run is None:
            return ""
        return "\n".join([*self.run.uncollected.values(), *self.run.details.values(), self.run.ended, self.run.output])


def furthest(attempts: Sequence[Attempt]) -> Attempt:
    """Of several, the one in which most tests passed; of those that did not come to tests, the first."""
    return max(attempts, key=lambda attempt: attempt.passing)


def try_plan(plan: InstallPlan, source: Path, origin: Origin, box: Box, work: Path, limits: TestLimits) -> Attempt:
    """Installs a repository by a plan and runs its tests once, offline.

    Args:
        plan: what to do.
        source: the repository's files.
        origin: where they come from.
        box: what there is to do it with.
        work: a new folder, in which the image's layer stays.
        limits: of the tests.

    Raises:
        SandboxError: there is no box to be had, or it broke.

    """
    work.mkdir(parents=True)
    installed = install(plan, source, box, work)
    if not installed.ok:
        last = [line for line in installed.log.strip().splitlines() if not line.startswith("#")][-1:]
        return Attempt(plan=plan, reason=f"it does not install: {''.join(last)}", log=installed.log, installed=installed)
    testbed, files = installed.layer / TESTBED[1:], history.files_of(source)
    remove_leftovers(testbed, files)
    head = history.squash(testbed, files, created=origin.created)
    root = (installed.layer, *([box.interpreter_layer] if box.interpreter_layer else []))
    image = Image(root=root, workdir=TESTBED, env=environment_of(plan), host=system(leaks.modules(testbed, origin.name)))
    command = Tested(command=TestCommand(arguments=plan.arguments, environment=dict(plan.environment)))
    run = run_once(image, command, backend=box.backend, seconds=limits.seconds, test_seconds=limits.test_seconds)
    log = f"{installed.log}$ python -m pytest {' '.join(plan.arguments)}\n{run.output}\n"
    reason = judge(combine([run]), limits)
    own = _own(testbed)
    return Attempt(plan=plan, reason=reason, log=log, installed=installed, run=run, head=head, image=image, own=own)


def _own(testbed: Path) -> frozenset[str]:
    """Names by which modules of a repository may be imported."""
    places = [testbed / place for place in ("", "src", "lib", "tests", "test")]
    found = {path.stem for place in places for path in place.glob("*.py")}
    return frozenset(found | {path.name for place in places for path in place.glob("*/")})


def judge(checked: Verified, limits: TestLimits) -> str:
    """Why tests are not good enough; empty if they are."""
    for run in checked.runs:
        if run.ended and run.ended != checked.first.ended:
            return f"its tests end early in one of the runs: {run.ended}"
        if run.doubts:
            return f"the results cannot be believed: {run.doubts[0]}"
    first = checked.first
    if first.ended:
        return f"its tests end early: {first.ended}"
    if not checked.passing:
        why = next(iter([*first.uncollected.values(), *first.details.values()]), "there are none")
        return f"no test passes: {why.strip().splitlines()[-1] if why.strip() else why}"
    if checked.share < limits.least:
        return f"{checked.share:.0%} of its tests pass, and {limits.least:.0%} must"
    return ""


def repair(attempt: Attempt, detected: Detected) -> Iterator[InstallPlan]:
    """Plans that may do better, the most promising first; all are changes to the one that was tried."""
    plan = attempt.plan
    if attempt.run is None:
        yield from _installable(plan, attempt.log)
        return
    named = [distribution_of(name) for name in attempt.missing]
    named += [distribution_of_fixture(name) for name in attempt.fixtures]
    known = {name_of(text) for text in plan.requirements}
    new = [text for text in named if text and name_of(text) not in known]
    if new:
        yield plan.with_requirements(new, f"not found by the tests: {', '.join(new)}")
    if attempt.reason and detected.steps and not plan.commands:
        yield replace(plan, commands=detected.steps, reasons=(*plan.reasons, "commands of a workflow"))
    run = attempt.run
    if run.count(Outcome.ERROR) * 20 > len(run.outcomes) or (attempt.reason and (run.uncollected or run.ended)):
        yield plan.with_requirements(["pytest<8"], "an older pytest")


def _installable(plan: InstallPlan, log: str) -> Iterator[InstallPlan]:
    """Without versions; without what cannot be had; without building the project."""
    last = log.rpartition(WITH_NETWORK)[2]  # what has no wheel is not missing yet
    refused = {name_of(name) for names in _UNRESOLVED.findall(last) for name in names if name}
    kept = tuple(text for text in plan.requirements if name_of(text) not in refused)
    if kept != plan.requirements:
        yield replace(plan, requirements=kept, reasons=(*plan.reasons, f"without {', '.join(sorted(refused))}"))
    free = tuple(dict.fromkeys(unpinned(text) for text in plan.requirements))
    if free != plan.requirements:
        yield replace(plan, requirements=free, reasons=(*plan.reasons, "without versions"))
    if plan.install == "editable":
        yield replace(plan, install="path", reasons=(*plan.reasons, "not built, but put on the path"))
