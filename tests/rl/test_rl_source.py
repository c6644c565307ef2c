"""Which task comes next."""

from collections import Counter

import pytest
from test_rl_selection import rollout

from foretrace.errors import UsageError
from foretrace.rl.source import Part, TaskSource
from foretrace.rl.types import Group, Task


def tasks(name: str, count: int) -> list[Task]:
    return [Task(environment=name, id=str(at), data={}) for at in range(count)]


def solved(task: Task, *values: float) -> Group:
    return Group(task=task, rollouts=tuple(rollout(value) for value in values))


def test_each_pass_has_every_task_once_and_another_order() -> None:
    source = TaskSource([Part(tasks=tasks("a", 10))])
    first, second = ([task.id for task, _ in source.take(10)] for _ in range(2))
    assert sorted(first) == sorted(second) == [str(at) for at in range(10)]
    assert first != second


def test_parts_have_their_shares() -> None:
    source = TaskSource([Part(tasks=tasks("a", 3), weight=3), Part(tasks=tasks("b", 50))], seed=1)
    count = Counter(task.environment for task, _ in source.take(2000))
    assert count["a"] / 2000 == pytest.approx(0.75, abs=0.03)


def test_seeds_never_repeat() -> None:
    starts = TaskSource([Part(tasks=tasks("a", 3))], seed=5).take(30)
    assert len({(task.id, seed) for task, seed in starts}) == len({seed for _, seed in starts}) == 30


def test_what_is_always_or_never_solved_comes_seldom() -> None:
    known = tasks("a", 3)
    source = TaskSource([Part(tasks=known)], band=(0.1, 0.7))
    source.note(solved(known[0], 1, 1, 1, 1))
    source.note(solved(known[1], -1, -1, -1, -1))
    source.note(solved(known[2], 1, -1, -1, -1))
    count = Counter(task.id for task, _ in source.take(600))
    assert count["2"] > 400
    assert 20 < count["0"] < 120  # but it does come: the policy may have changed
    source.note(solved(known[0], -1, -1, -1, -1))
    assert source.rates["a/0"] == pytest.approx(0.7)
    assert Counter(task.id for task, _ in source.take(300))["0"] > 100


def test_it_goes_on_from_its_state() -> None:
    parts = [Part(tasks=tasks("a", 5)), Part(tasks=tasks("b", 7))]
    first, second = TaskSource(parts, seed=2, band=(0, 1)), TaskSource(parts, seed=2, band=(0, 1))
    first.take(13)
    first.note(solved(parts[0].tasks[0], 1, -1))
    second.restore(first.state())
    assert first.take(20) == second.take(20)
    assert second.rates == first.rates


def test_an_empty_mixture_is_refused() -> None:
    with pytest.raises(UsageError, match="above 0"):
        TaskSource([Part(tasks=[])])
