"""What an episode is about, as little of it as the loop needs: which tests decide is for those who grade.

task = Task.of(instance, make_world(instance, image, folder))
"""

from dataclasses import dataclass, field
from typing import Self

from foretrace.forager.tasks.instance import Instance
from foretrace.sandbox.environment import EnvironmentLimits, Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """An issue in a repository."""

    id: str
    image: Image
    problem: str
    """The issue, as the agent reads it."""
    hints: str = ""
    """What it is told beside it."""
    patch: str = ""
    """A right answer. Only the policy `oracle` looks at it."""
    repo: str = ""
    licence: str = ""
    limits: EnvironmentLimits = field(default_factory=EnvironmentLimits)

    @classmethod
    def of(
        cls,
        instance: Instance,
        world: Image,
        limits: EnvironmentLimits | None = None,
        *,
        hints: bool = False,
        command: str = "",
    ) -> Self:
        """The task of an instance.

        Args:
            instance: of SWE-bench's kind.
            world: the image with the mistake in it: see `tasks.world`.
            limits: of the environment.
            hints: show what was said after the issue, too; SWE-bench does not.
            command: how the tests are run, which nobody can guess in every repository; it is told, if given.

        """
        told = [f"The tests are run with `{command}`."] if command else []
        told += [instance.hints_text] if hints and instance.hints_text else []
        return cls(
            id=instance.instance_id,
            image=world,
            problem=instance.problem_statement,
            hints="\n\n".join(told),
            patch=instance.patch,
            repo=instance.repo,
            licence=instance.licence,
            limits=limits or EnvironmentLimits(),
        )
