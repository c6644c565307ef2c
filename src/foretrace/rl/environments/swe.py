"""Software engineering: an issue in a repository, tools, and a patch that tests decide on.

    environment = SoftwareEngineering(tokenizer, Campaign(run=Run.create(folder, instances, images)))
    tasks = swe_tasks(run)

The worlds, tools and grades are those of `foretrace.forager`. The outcome has the patch's similarity with the right one:
CWM gives 0 instead of -1 for a patch that fails and is at least half alike (`rewards.patch_reward`).
"""

import hashlib
from dataclasses import replace
from typing import Any

from foretrace.data.chat import Message
from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import SandboxError
from foretrace.evals.scorers.localisation import similarity
from foretrace.forager import prompts
from foretrace.forager.budgets import Budgets
from foretrace.forager.campaign import Campaign
from foretrace.forager.grading import Verdict, grade_patch
from foretrace.forager.runs import Run
from foretrace.forager.tasks.instance import Instance
from foretrace.forager.tools import TOOLS
from foretrace.rl.environments.workshop import Bench, Workshop
from foretrace.rl.types import Task
from foretrace.sandbox.environment import Environment
from foretrace.sandbox.environments import open_environment

NAME = "swe"
_BASH = frozenset({"bash", "submit"})


def swe_tasks(run: Run) -> list[Task]:
    """A task for each instance of a forager's run."""
    return [Task(environment=NAME, id=name, data={}) for name in run.instances]


class SoftwareEngineering(Workshop):
    """Many actions: calls of tools, and a last message once a patch is submitted."""

    name = NAME

    def __init__(
        self,
        tokenizer: Tokenizer,
        campaign: Campaign,
        *,
        think: bool = False,
        budgets: Budgets | None = None,
        bash_only: float = 0.0,
        hints: float = 0.0,
    ) -> None:
        """As in CWM's stages (report, section 5.3).

        Args:
            tokenizer: of the policy.
            campaign: the run that has the instances, and how they are graded.
            think: see `Dialogue`.
            budgets: of an episode.
            bash_only: share of episodes without view, create and edit.
            hints: share of tasks that show the tests that decide.

        """
        super().__init__(tokenizer, think=think, budgets=budgets)
        self._campaign, self._bash_only, self._hints = campaign, bash_only, hints

    def tools_of(self, task: Task, seed: int) -> frozenset[str]:
        """Those of an episode; a group has the same."""
        return _BASH if _falls(f"tools {task.id} {seed}", self._bash_only) else self.tools

    def begin(self, task: Task, seed: int) -> tuple[Environment, dict[str, Any], list[Message]]:
        """The repository with the mistake in it."""
        instance = self._campaign.run.instances[task.id]
        work, tests = self._campaign.task(instance)
        if _falls(f"hint {task.id}", self._hints):
            work = replace(work, hints=f"{work.hints}\n\n{_hint(instance)}".strip())
        environment = open_environment(work.image, work.limits, backend=self._campaign.setting.backend)
        told = [
            Message("system", _rules(self.budgets, self.tools_of(task, seed))),
            Message("user", prompts.task_prompt(work, environment.workdir)),
        ]
        return environment, {"instance": instance, "work": work, "tests": tests}, told

    def judge(self, state: Bench, text: str) -> dict[str, Any]:
        """Grades the submission in a fresh environment; without one there is nothing to end with, but for a last refusal."""
        if not state.submission:
            return {}
        instance, work, campaign = state.extra["instance"], state.extra["work"], self._campaign
        for left in reversed(range(campaign.tries)):
            grade = grade_patch(
                instance,
                state.submission,
                work.image,
                state.extra["tests"],
                seconds=campaign.grade_seconds,
                backend=campaign.setting.backend,
                limits=work.limits,
            )
            if grade.verdict is not Verdict.BROKEN:
                break
            if not left:
                raise SandboxError(f"{instance.instance_id} cannot be graded: {grade.reason}")
        alike = round(similarity(state.submission, instance.patch), 4)
        return {"right": grade.verdict is Verdict.RESOLVED, "similarity": alike, "reason": grade.reason}


def _rules(budgets: Budgets, tools: frozenset[str]) -> str:
    """What the policy is told of its place, and which tools it does not have."""
    missing = sorted(set(TOOLS) - tools)
    told = prompts.system_prompt(budgets)
    return f"{told}\n\nIn this episode there is no {', no '.join(missing)}." if missing else told


def _hint(instance: Instance) -> str:
    """The tests that decide, as far as they are known: their change, if the task has one, else their names."""
    if instance.test_patch:
        return f"These tests will decide:\n\n{instance.test_patch}"
    return "These tests will decide:\n" + "\n".join(instance.fail_to_pass)


def _falls(what: str, share: float) -> bool:
    """Whether this falls in a share, which depends on nothing but its name."""
    return int.from_bytes(hashlib.sha256(what.encode()).digest()[:8]) < share * (1 << 64)
