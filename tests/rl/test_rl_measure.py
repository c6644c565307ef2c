"""How often tasks are solved."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from random_checkpoints import random_checkpoint

from foretrace.rl.measure import SolveRates, solve_rates
from foretrace.rl.types import PlainStates, Task, Transition


class Even(PlainStates):
    """The first token should be even."""

    name = "even"
    stop = frozenset(range(700))

    def start(self, task: Task, seed: int) -> Transition:
        return Transition(state=None, observation=(1, int(task.id)))

    def step(self, state: Any, action: Sequence[int]) -> Transition:
        return Transition(state=None, is_over=True, outcome={"right": action[0] % 2 == 0})


def test_each_task_is_tried_once_greedily_and_as_often_as_asked(tmp_path: Path) -> None:
    made = random_checkpoint(tmp_path)
    tasks = [Task(environment="even", id=str(at), data={}) for at in range(20, 40)]
    rates = solve_rates({"even": Even()}, tasks, made.config, made.weights, samples=5)
    assert list(rates.greedy) == list(rates.sampled) == [task.id for task in tasks]
    assert all(len(tries) == 1 for tries in rates.greedy.values())
    assert all(len(tries) == 5 for tries in rates.sampled.values())
    assert len(set(rates.sampled.values())) > 3
    again = solve_rates({"even": Even()}, tasks, made.config, made.weights, samples=5)
    assert again == rates
    assert solve_rates({"even": Even()}, tasks, made.config, made.weights, samples=5, seed=1) != rates


def test_shares() -> None:
    rates = SolveRates(greedy={"a": (True,), "b": (False,)}, sampled={"a": (True, True), "b": (False, True)})
    assert rates.to_dict() == {"pass@1": 0.5, "sampled@1": 0.75, "pass@2": 1.0}
    assert rates.pass_at_1.total == 2
    one = SolveRates(greedy={"a": (True,)}, sampled={"a": (False,)})
    assert one.to_dict() == {"pass@1": 1.0, "sampled@1": 0.0}
    assert SolveRates(greedy={"a": (True,)}, sampled={}).to_dict() == {"pass@1": 1.0}
    assert rates.sampled_at_1 == pytest.approx(0.75)
