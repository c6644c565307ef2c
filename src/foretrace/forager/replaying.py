"""Does a trajectory's actions once more, and says whether they came to the same: to the same files, to the same outputs.

    for difference in replay(trajectory, task):
        print(difference)

States are compared by their hashes (`state.Watch`), step by step. Outputs are compared as they were shown; what depends on
the clock or on addresses in memory is another matter (`matters`), and is told apart by leaving numbers of that form out.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from foretrace.errors import UsageError
from foretrace.forager.budgets import Budgets
from foretrace.forager.format import read_observation
from foretrace.forager.state import Watch
from foretrace.forager.task import Task
from foretrace.forager.tools import Desk, ToolResult
from foretrace.forager.trajectory import Step, Trajectory
from foretrace.sandbox.environments import open_environment

_PASSING = re.compile(
    r"\b\d+(\.\d+)?\s?(ms|s|sec|secs|seconds?)\b|0x[0-9a-f]{6,}|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?"
)


@dataclass(frozen=True, slots=True)
class Difference:
    """What was not the same."""

    step: int
    """0: before the first."""
    what: str
    """`state`, `code` or `output`."""
    recorded: str
    replayed: str
    matters: bool = True
    """False: the outputs differ in times and addresses only."""


def replay(trajectory: Trajectory, task: Task, *, backend: str = "bubblewrap") -> Iterator[Difference]:
    """Does a trajectory's actions in a fresh environment.

    Raises:
        UsageError: the task's image is not the one in which the trajectory was made.

    """
    header = trajectory.header
    if header.image != task.image.digest:
        raise UsageError(f"{header.episode} was made in the image {header.image}; this one is {task.image.digest}")
    known = Budgets.__dataclass_fields__
    budgets = Budgets(**{name: value for name, value in header.budgets.items() if name in known})
    with open_environment(task.image, task.limits, backend=backend) as environment:
        watch = Watch(environment, task.image)
        if watch.look()[1] != header.state:
            yield Difference(0, "state", header.state, watch.state)
        desk = Desk(environment, command_seconds=budgets.command_seconds, characters=budgets.observation)
        yield from redo(desk, watch, trajectory.steps)


def redo(desk: Desk, watch: Watch, steps: Iterable[Step]) -> Iterator[Difference]:
    """Does the actions of steps; those that no tool answered did nothing then, and do nothing now."""
    for step in steps:
        if not step.role.startswith("tool: "):
            continue
        result = desk.call(step.action.tool, step.action.argument)
        _, state = watch.look()
        yield from _compared(step, result, state)


def _compared(step: Step, result: ToolResult, state: str) -> Iterator[Difference]:
    if state != step.state:
        yield Difference(step.number, "state", step.state, state)
    if (result.code, result.status) != (step.code, step.status):
        yield Difference(step.number, "code", f"{step.code} {step.status}", f"{result.code} {result.status}")
    recorded, _, _ = read_observation(step.observation)
    if result.output != recorded:
        matters = _PASSING.sub("#", result.output) != _PASSING.sub("#", recorded)
        yield Difference(step.number, "output", recorded, result.output, matters)
