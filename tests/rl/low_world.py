"""A small world for whole runs, which actors of a cluster and processes of torchrun import: actions should be low tokens."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from foretrace.rl.types import Environment, PlainStates, Task, Transition

TURNS = 2
STOP = frozenset(range(0, 645, 6))
"""Of `random_checkpoints.CONFIG`; vLLM refuses what is no token."""


class Low(PlainStates):
    """Two actions, whose tokens should be in the lower half of the vocabulary; the state is how many there were."""

    name = "low"
    stop = STOP

    def start(self, task: Task, seed: int) -> Transition:
        if task.data.get("is_broken"):
            raise RuntimeError("the disk is on fire")
        return Transition(state=0, observation=(1, 2, seed % 50))

    def step(self, state: Any, action: Sequence[int]) -> Transition:
        time.sleep(0.005)
        share = sum(token < 350 for token in action) / len(action)
        return Transition(state=state + 1, observation=(7, 8), is_over=state + 1 == TURNS, outcome={"share": share})


def reward(transition: Transition, _action: Sequence[int]) -> float:
    """From -1 to 1 in all."""
    return (2 * transition.outcome["share"] - 1) / TURNS


def make() -> Mapping[str, Environment]:
    """Environments by name."""
    return {"low": Low()}


def tasks(count: int = 40, **data: Any) -> list[Task]:
    return [Task(environment="low", id=str(at), data=data) for at in range(count)]
