"""An episode, from its beginning or from where it was left to its end. For many, and their grades: `campaign`.

    trajectory = run_episode(task, Oracle(), Path("run"))        # None: finished before, or another process is at it
    trajectory = insist(task, lambda: Search(seed=7), Path("run"), tries=3)      # if a server or an environment may fail

An episode whose process is killed, or whose server or environment fails, is taken up where it was: the recorded actions
are done again in a fresh environment, and if they have come to the same state, the policy is asked for the next one; if
they have not, the episode is begun again. A policy is never asked twice for a step that is recorded.

Threads, processes and machines may share a folder whose file system has locks.
"""

import hashlib
import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from urllib.parse import quote

import foretrace
from foretrace.errors import EndpointError, SandboxError
from foretrace.forager import prompts
from foretrace.forager.agent import Agent, Setting
from foretrace.forager.journal import Journal
from foretrace.forager.policies.types import Policy
from foretrace.forager.replaying import redo
from foretrace.forager.state import Watch
from foretrace.forager.task import Task
from foretrace.forager.tools import TOOLS, Desk
from foretrace.forager.trajectory import Header, Trajectory
from foretrace.sandbox.environment import Environment, EnvironmentLimits
from foretrace.sandbox.environments import open_environment


def episode_name(task: Task, policy: Policy, seed: int) -> str:
    """The name under which an episode is kept: the task, the policy with a mark of its settings, the seed."""
    settings = json.dumps(policy.settings(), sort_keys=True)
    mark = "" if settings == "{}" else "-" + hashlib.sha256(settings.encode()).hexdigest()[:8]
    return quote(f"{task.id}.{policy.name}{mark}.{seed}", safe="@+=,")


def run_episode(
    task: Task, policy: Policy, folder: Path, setting: Setting | None = None, *, seed: int = 0
) -> Trajectory | None:
    """Runs an episode to its end, or takes it up where it was left, and keeps it in `folder`.

    Returns:
        The trajectory; None if it is finished already, or another process is running it.

    Raises:
        EndpointError: the policy's server fails. What is done is kept; call again to go on.
        SandboxError: the environment fails; the same holds.

    """
    setting = setting or Setting()
    journal = Journal.claim(folder, episode_name(task, policy, seed))
    if journal is None:
        return None
    with journal:
        left = journal.trajectory if policy.resumable else None
        for before in (left, None):
            with open_environment(task.image, _limits(task, setting), backend=setting.backend) as environment:
                budgets, watch = setting.budgets, Watch(environment, task.image)
                watch.look()
                desk = Desk(environment, command_seconds=budgets.command_seconds, characters=budgets.observation)
                if before is None:
                    journal.begin(_header(task, policy, setting, seed, environment, watch, journal.trajectory))
                elif not _comes_back(before, task, desk, watch):
                    continue
                return Agent(task, policy, desk, watch, journal, setting).run()
    raise AssertionError("an episode that is begun is run")


def insist(
    task: Task,
    make: Callable[[], Policy],
    folder: Path,
    setting: Setting | None = None,
    *,
    seed: int = 0,
    tries: int = 3,
) -> Trajectory | None:
    """Runs an episode as `run_episode` does, and takes it up again, with a new policy, if its server or environment fails.

    Raises:
        EndpointError: the policy's server has failed so many times.
        SandboxError: the environment has.

    """
    for left in reversed(range(tries)):
        try:
            return run_episode(task, make(), folder, setting, seed=seed)
        except (EndpointError, SandboxError):
            if not left:
                raise
    raise AssertionError("the last try either returns or raises")


def _limits(task: Task, setting: Setting) -> EnvironmentLimits:
    """Those of the task; but no environment ends before the episode in it may."""
    return replace(task.limits, seconds=max(task.limits.seconds, 2 * setting.budgets.seconds))


def _header(
    task: Task,
    policy: Policy,
    setting: Setting,
    seed: int,
    environment: Environment,
    watch: Watch,
    before: Trajectory | None,
) -> Header:
    """What is asked of whom, where, and under which limits."""
    limits = asdict(_limits(task, setting))
    return Header(
        episode=episode_name(task, policy, seed),
        task=task.id,
        repo=task.repo,
        licence=task.licence,
        image=task.image.digest,
        environment={"backend": setting.backend, "gaps": list(environment.gaps), "limits": limits},
        policy={"name": policy.name, **policy.settings()},
        system=prompts.system_prompt(setting.budgets, functions=policy.functions, preamble=setting.preamble),
        prompt=prompts.task_prompt(task, environment.workdir),
        budgets=asdict(setting.budgets),
        tools=tuple(TOOLS),
        seed=seed,
        state=watch.state,
        attempt=before.header.attempt + 1 if before else 1,
        versions={"foretrace": foretrace.__version__, "python": platform.python_version()},
        began=round(time.time(), 3),
    )


def _comes_back(before: Trajectory, task: Task, desk: Desk, watch: Watch) -> bool:
    """Does what is recorded once more; whether that came to the recorded state."""
    if before.header.image != task.image.digest or before.header.state != watch.state:
        return False
    # What a program printed may differ, and was seen as it is recorded; where it led to may not.
    return all(difference.what == "output" for difference in redo(desk, watch, before.steps))
