"""A campaign: policies at work on tasks, each episode run to its end and graded in a fresh environment.

    campaign = Campaign(run=run)
    works = [Work(task=name, policy=read_policy("search"), seed=0) for name in run.instances]
    for done in in_threads(campaign, works, threads=8):                # or any other way to call it for each work
        done.verdict, done.reason

A campaign is a function of a `Work` that can be sent to other processes and machines. Calling it again costs nothing: what
is finished is read, what is graded is not graded again, and an episode that was killed is taken up where it was. So whoever
loses a call makes it again, and nothing is there twice.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from foretrace.errors import ForetraceError, SandboxError, UsageError
from foretrace.forager.agent import Setting
from foretrace.forager.episodes import episode_name, insist
from foretrace.forager.grading import Verdict, grade_patch
from foretrace.forager.journal import read_trajectory, record_grade
from foretrace.forager.policies.named import NamedPolicy
from foretrace.forager.runs import Run
from foretrace.forager.task import Task
from foretrace.forager.tasks.instance import Instance
from foretrace.forager.tasks.world import world_of
from foretrace.forager.trajectory import Trajectory
from foretrace.repos.image import RepoImage, load_image
from foretrace.repos.verify import LIMITS

UNGRADED, ERROR, ELSEWHERE = "ungraded", "error", "elsewhere"
"""What a `Done` says beside the verdicts of `grading.Verdict`."""
_WAIT = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """An episode that is wanted."""

    task: str
    """Id of the instance."""
    policy: NamedPolicy
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of it."""

    task: str
    policy: str
    seed: int
    episode: str = ""
    verdict: str = ERROR
    """A `grading.Verdict`; `ungraded`; `error`; `elsewhere`: another process is at it."""
    reason: str = ""
    ending: str = ""
    turns: int = 0
    tokens: int = 0
    seconds: float = 0.0
    cost: float = 0.0
    was_there: bool = False
    """Whether nothing had to be done."""

    @property
    def is_solved(self) -> bool:
        """Whether the task is."""
        return self.verdict == Verdict.RESOLVED

    @property
    def is_invalid(self) -> bool:
        """Whether nothing is known of it: it is to be done again."""
        return self.verdict in (ERROR, ELSEWHERE, Verdict.BROKEN)

    def to_json(self) -> dict[str, Any]:
        """For reports."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """How the episodes of a run are run and graded. Calls of it may be made in any number of threads, and anywhere."""

    run: Run
    setting: Setting = field(default_factory=Setting)
    grade: bool = True
    grade_seconds: float = 600.0
    """Of the tests, when a patch is graded."""
    hints: bool = False
    """Whether the agent is told what was said after an issue."""
    tries: int = 3
    """How often an episode or a grade is taken up whose server or environment fails."""
    patience: float = 60.0
    """Seconds that an episode is waited for which another process holds: one whose machine has died lets go of it soon."""

    load: Callable[[str], RepoImage] = load_image
    """Reads an image's manifest."""

    def __call__(self, work: Work) -> Done:
        """Runs and grades an episode; whatever goes wrong is said in what is returned."""
        done: dict[str, Any] = {"task": work.task, "policy": work.policy.spec, "seed": work.seed}
        try:
            return self._work(work, done)
        except (ForetraceError, OSError) as error:
            return Done(**done, verdict=ERROR, reason=f"{type(error).__name__}: {error}")

    def _work(self, work: Work, done: dict[str, Any]) -> Done:
        instance = self.run.instances[work.task]
        task, tests = self.task(instance)
        name = episode_name(task, work.policy.make(work.task, work.seed), work.seed)
        done["episode"] = name
        path = self.run.path(name)
        was_there = path.exists()
        if not was_there and not self._run(task, work, path):
            return Done(**done, verdict=ELSEWHERE, reason="another process is at it; start again when that has ended")
        trajectory = read_trajectory(path)
        assert trajectory.result is not None
        verdict, reason = _verdict_of(trajectory)
        if self.grade and verdict in (UNGRADED, Verdict.BROKEN):
            verdict, reason, was_there = *self._grade(instance, task, tests, trajectory, path), False
        result = trajectory.result
        told: dict[str, Any] = {name: getattr(result, name) for name in ("turns", "tokens", "cost", "seconds")}
        told["ending"] = str(result.ending)
        return Done(**done, **told, verdict=verdict, reason=reason, was_there=was_there)

    def task(self, instance: Instance) -> tuple[Task, RepoImage]:
        """What an episode is about, and the image that knows how its tests are run.

        Raises:
            UsageError: the image is not here.

        """
        folder = self.run.images.get(instance.image)
        if folder is None or self.run.worlds is None:
            raise UsageError(f"the image of {instance.instance_id} is not known ({instance.image}); say where: --images DIR")
        tests = _image(self.load, folder)
        if tests.digest != instance.image:
            raise UsageError(f"{folder} is another image than {instance.instance_id} was made in; build it again")
        place = self.run.worlds / instance.instance_id
        world = world_of(instance, tests.image, place, backend=self.setting.backend, limits=LIMITS)
        return Task.of(instance, world, LIMITS, hints=self.hints, command=tests.test_command), tests

    def _run(self, task: Task, work: Work, path: Path) -> bool:
        """Runs an episode to its end, or waits for whoever does; whether it is there now."""
        until = time.monotonic() + self.patience
        make = partial(work.policy.make, work.task, work.seed)
        while True:
            done = insist(task, make, path.parent, self.setting, seed=work.seed, tries=self.tries)
            if done is not None or path.exists():
                return True
            if time.monotonic() > until:
                return False
            time.sleep(_WAIT)

    def _grade(
        self, instance: Instance, task: Task, tests: RepoImage, trajectory: Trajectory, path: Path
    ) -> tuple[str, str]:
        assert trajectory.result is not None
        for left in reversed(range(self.tries)):
            try:
                grade = grade_patch(
                    instance,
                    trajectory.result.submission,
                    task.image,
                    tests,
                    seconds=self.grade_seconds,
                    backend=self.setting.backend,
                    limits=LIMITS,
                )
            except SandboxError:
                if not left:
                    raise
                continue
            if grade.verdict is not Verdict.BROKEN or not left:
                break
        record_grade(path, grade.to_json())
        return str(grade.verdict), grade.reason


def _verdict_of(trajectory: Trajectory) -> tuple[str, str]:
    assert trajectory.result is not None
    grade = trajectory.result.grade or {}
    return str(grade.get("verdict", UNGRADED)), str(grade.get("reason", ""))


@lru_cache(maxsize=64)
def _image(load: Callable[[str], RepoImage], folder: str) -> RepoImage:
    return load(folder)
