"""Builds one image: fetch, detect, try plans until one is good enough, run the tests again, keep what was tried and why.

    built = build(read_source("toolz==1.2.0"), Path("images"))
    built.image, built.reason

Heuristics find the first plan and change it after a failure; where they have nothing left, a `rescue` may take over, such as
an agent with a model: it gets the failed attempt and gives a plan. Whoever gave it, a plan is replayed from nothing in a
fresh box, and what its tests do decides. An image appears under its name when it is whole, and not before.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from foretrace.corpus.episodes import is_of_tests
from foretrace.errors import UsageError
from foretrace.repos import failures, leaks
from foretrace.repos.attempt import Attempt, Tested, TestLimits, furthest, judge, repair, try_plan
from foretrace.repos.clocks import timed_tests
from foretrace.repos.detect import Detected, detect
from foretrace.repos.finish import Parts, finish
from foretrace.repos.history import files_of
from foretrace.repos.image import INTERPRETERS, MANIFEST, RepoImage, load_image
from foretrace.repos.install import Box
from foretrace.repos.interpreters import find_interpreters, interpreter_layer
from foretrace.repos.plan import TESTBED, InstallPlan
from foretrace.repos.project import text_of
from foretrace.repos.sources import Origin, Source, fetch
from foretrace.repos.testing import TestCommand
from foretrace.repos.verify import Verified, combine, run_once
from foretrace.repos.wheels import Wheelhouse, find_installer

Rescue = Callable[[Attempt], InstallPlan | None]
"""Sees a failed attempt, and gives a plan or gives up."""
CACHE, WORK = ".cache", ".work"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """How images are built."""

    backend: str = "bubblewrap"
    python: str = ""
    """A version for all, as `3.11`; else each has the one that suits it."""
    installer: str = ""
    """`uv` or `pip`; by default uv, if it is there."""
    network: bool = True
    """Whether anything may be fetched; else only what the folder's cache has."""
    attempts: int = 6
    """Plans of the heuristics that are tried; a rescue has as many again."""
    tests: TestLimits = field(default_factory=TestLimits)
    retry: bool = False
    """Whether to try again what failed before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What became of a source."""

    source: str
    """Its spec."""
    name: str = ""
    """Of the image's folder."""
    image: RepoImage | None = None
    reason: str = ""
    """Why there is no image."""
    seconds: float = 0.0
    was_there: bool = False
    """Whether nothing had to be done."""


def build(source: Source, out: Path, options: BuildOptions | None = None, *, rescue: Rescue | None = None) -> Built:
    """Builds an image of a source in a folder of images, unless it is there.

    Raises:
        SandboxError: no box can be had here at all.

    """
    options, start = options or BuildOptions(), time.monotonic()
    failure = failures.place_of(out, source)
    if failure.exists() and not options.retry:
        return Built(source=source.spec, reason=failures.read(failure).reason, was_there=True)
    work = out / WORK / f"{failure.stem}.{os.getpid()}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    job = _Job(source, out, options, work, rescue, failure, start)
    try:
        return _build(job)
    except UsageError as error:  # it cannot be fetched, or needs a Python that is not here: another day it may be so
        return Built(source=source.spec, reason=str(error), seconds=time.monotonic() - start)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Job:
    source: Source
    out: Path
    options: BuildOptions
    work: Path
    rescue: Rescue | None
    failure: Path
    start: float


def _build(job: _Job) -> Built:
    files = job.work / "source"
    origin = fetch(job.source, files, job.out / CACHE)
    name, image = _existing(job.out, origin)
    if image:
        return Built(source=job.source.spec, name=name, image=image, was_there=True)
    detected = detect(files, find_interpreters(), python=job.options.python)
    box = _box(job, origin, detected)
    attempts = []
    best: Attempt | None = None
    for attempt in _attempts(job, files, origin, detected, box):
        attempts.append(attempt)
        if attempt.reason or (best and best.passing >= attempt.passing):
            shutil.rmtree(attempt.installed.layer.parent, ignore_errors=True)
        else:
            best = attempt
    if best is None or best.image is None:
        return _failed(job, furthest(attempts).reason, attempts)
    command, checked = _check_again(best, box, job.options)
    names = leaks.modules(best.installed.layer / TESTBED[1:], origin.name)
    reason = judge(checked, job.options.tests) or _leak(best, names)
    if reason:
        return _failed(job, reason, attempts)
    parts = Parts(
        origin=origin,
        box=box,
        attempts=attempts,
        best=best,
        command=command,
        checked=checked,
        seconds=time.monotonic() - job.start,
    )
    finished = finish(job.work / "image", job.out / name, parts)
    job.failure.unlink(missing_ok=True)
    return Built(source=job.source.spec, name=finished.name, image=finished, seconds=time.monotonic() - job.start)


def _existing(out: Path, origin: Origin) -> tuple[str, RepoImage | None]:
    """An image of the very same files, or else a name that is free."""
    for name in (origin.slug, f"{origin.slug}-{origin.sha256[:8]}"):
        if not (out / name / MANIFEST).exists():
            return name, None
        image = load_image(out / name)
        if image.origin.sha256 == origin.sha256:
            return name, image
    raise UsageError(f"{out / origin.slug} is there already, of other files; remove it, or build into another folder")


def _box(job: _Job, origin: Origin, detected: Detected) -> Box:
    """What plans are carried out with."""
    version = origin.version or detected.project.version or "0.0.0"
    names = ("SETUPTOOLS_SCM_PRETEND_VERSION", "PBR_VERSION", "PDM_BUILD_SCM_VERSION", "POETRY_DYNAMIC_VERSIONING_BYPASS")
    return Box(
        interpreter=detected.interpreter,
        interpreter_layer=interpreter_layer(detected.interpreter, job.out / INTERPRETERS),
        wheels=Wheelhouse(job.out / CACHE / "wheels", online=job.options.network),
        backend=job.options.backend,
        uv=find_installer(job.options.installer),
        network=job.options.network,
        versions=dict.fromkeys(names, version),
    )


def _attempts(job: _Job, files: Path, origin: Origin, detected: Detected, box: Box) -> Iterator[Attempt]:
    """Tries plans, none twice: first those of the heuristics, then those of a rescue, which sees what came of its last."""
    plan: InstallPlan | None = detected.plan
    tried: set[str] = set()
    done: list[Attempt] = []
    is_helped = False
    most = job.options.attempts
    while plan is not None and plan.key not in tried and len(done) < 2 * most:
        tried.add(plan.key)
        work = job.work / str(len(done) + 1)
        attempt = try_plan(plan, files, origin, box, work, job.options.tests)
        done.append(attempt)
        yield attempt
        plan = None
        if not is_helped and len(done) < most:
            plan = next((each for each in repair(attempt, detected) if each.key not in tried), None)
        if plan is None and job.rescue is not None and all(each.reason for each in done):
            plan = job.rescue(attempt if is_helped else furthest(done))
            is_helped = True


def _check_again(best: Attempt, box: Box, options: BuildOptions) -> tuple[TestCommand, Verified]:
    """The rest of the runs, compared with the first; what took part in that must be all that takes part."""
    assert best.run is not None
    assert best.image is not None
    command = TestCommand(
        arguments=best.plan.arguments,
        environment=dict(best.plan.environment),
        hooks=best.run.hooks,
        patched=best.run.patched,
    )
    runs = [best.run]
    for _ in range(options.tests.runs - 1):
        runs.append(
            run_once(
                best.image,
                Tested(command=command),
                backend=box.backend,
                seconds=options.tests.seconds,
                test_seconds=options.tests.test_seconds,
            )
        )
    names = {name for run in runs for name in run.outcomes}
    return command, combine(runs, timed_tests(names, _tests_in(best.installed.layer / TESTBED[1:])))


def _tests_in(testbed: Path) -> dict[str, str]:
    """Texts of the files of tests."""
    paths = [path for path in files_of(testbed) if path.endswith(".py") and is_of_tests(path)]
    return {path: text_of(testbed / path) for path in paths}


def _leak(best: Attempt, names: Sequence[str]) -> str:
    found = leaks.copies(best.installed.layer, names)
    return f"the image would hold a copy of the code that is to be repaired: {found[0]}" if found else ""


def _failed(job: _Job, reason: str, attempts: list[Attempt]) -> Built:
    seconds = time.monotonic() - job.start
    failures.keep(job.failure, job.source, reason, attempts, seconds)
    return Built(source=job.source.spec, reason=reason, seconds=seconds)
