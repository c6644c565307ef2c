"""Policies that say whether a task is fair: the right answer has to solve it, no answer and a random one must not.

    run_episode(task, Oracle(), folder)     # graded: 1
    run_episode(task, Null(), folder)       # graded: 0

`Random(seed=7)` shows what chance is worth.
"""

import random

from foretrace.errors import UsageError
from foretrace.forager.edits import write_edit
from foretrace.forager.format import read_observation
from foretrace.forager.policies.types import History, Policy
from foretrace.forager.trajectory import Action, JsonObject

_PATCH = ".git/submission.patch"
"""In git's own folder, which is no part of the state; some backends let nobody write to `/tmp`."""


class Oracle(Policy):
    """Applies and submits the answer that the task knows."""

    name = "oracle"

    def act(self, history: History) -> Action:
        """The next of four steps: write the patch, apply it, submit it, end."""
        if not history.task.patch.strip():
            raise UsageError(f"task {history.task.id} has no patch, so that there is nothing for the oracle to submit")
        plan = [
            ("create", f"{_PATCH}\n{history.task.patch}"),
            ("bash", f"git apply {_PATCH} && git status --short"),
            ("submit", _PATCH),
        ]
        if len(history.steps) < len(plan):
            return Action.call(*plan[len(history.steps)])
        return Action(content="The patch that came with the task is submitted.", ends=True)


class Null(Policy):
    """Does nothing."""

    name = "null"

    def act(self, history: History) -> Action:
        """Ends."""
        return Action(content="I change nothing.", ends=True)


class Random(Policy):
    """Looks at random files, deletes random lines in them, and submits what comes of it."""

    name = "random"

    def __init__(self, *, seed: int = 0, moves: int = 6) -> None:
        self.seed = seed
        self.moves = moves

    def settings(self) -> JsonObject:
        """Its seed and its moves."""
        return {"seed": self.seed, "moves": self.moves}

    def act(self, history: History) -> Action:
        """A list of files first, random moves after it, then the submission."""
        at = len(history.steps)
        if at == 0:
            return Action.call("bash", "git ls-files '*.py'")
        if at <= self.moves:
            return self._move(history, random.Random(f"{self.seed}/{history.task.id}/{at}"))
        if at == self.moves + 1:
            return Action.call("bash", f"git diff > {_PATCH}")
        if at == self.moves + 2:
            return Action.call("submit", _PATCH)
        return Action(content="I changed what chance told me to.", ends=True)

    def _move(self, history: History, rng: random.Random) -> Action:
        files = _output(history, 0).split()
        if not files:
            return Action.call("bash", "ls")
        last = history.steps[-1]
        path, _, _ = last.action.argument.partition("\n")
        if last.action.tool != "view" or not last.ok:
            return Action.call("view", rng.choice(files))
        lines = [line.partition("\t")[2] for line in _output(history, -1).split("\n") if "\t" in line]
        return Action.call("edit", write_edit(path, rng.choice(list(filter(str.strip, lines)) or ["x"]), ""))


def _output(history: History, number: int) -> str:
    return read_observation(history.steps[number].observation)[0]
