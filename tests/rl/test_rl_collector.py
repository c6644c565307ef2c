"""Rollouts of a small model: turns, versions, ends, errors."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_checkpoints import random_checkpoint

from foretrace.errors import TrainingError
from foretrace.rl.collector import Collecting, Collector
from foretrace.rl.policies import Draw, LocalPolicy
from foretrace.rl.types import ENVIRONMENT, Ending, Group, LostError, PlainStates, Task, Transition

STOP = frozenset(range(0, 700, 8))
"""Every eighth token ends an action."""


class Counting(PlainStates):
    """Answers each action with its length, and ends after some turns."""

    name = "counting"
    stop = STOP

    def __init__(self, turns: int = 1) -> None:
        self._turns = turns

    def start(self, task: Task, seed: int) -> Transition:
        return Transition(state=0, observation=(1, *task.data["prompt"]))

    def step(self, state: Any, action: Sequence[int]) -> Transition:
        if any(token % 10 == 5 for token in action) and self._turns < 0:
            raise ValueError("a five")
        over = state + 1 >= abs(self._turns)
        return Transition(
            state=state + 1, observation=(9, len(action)), is_over=over, outcome={"right": len(action) % 2 == 0}
        )


def parity(transition: Transition, action: Sequence[int]) -> float:
    assert transition.observation[1] == len(action)
    return float(transition.outcome["right"])


def tasks(count: int) -> list[tuple[Task, int]]:
    return [(Task(environment="counting", id=str(at), data={"prompt": [10 + at, 11]}), at) for at in range(count)]


def collect(policy: LocalPolicy, environment: Counting, count: int = 3, **settings: Any) -> list[Group]:
    config = Collecting(**({"group_size": 4, "width": 6, "max_tokens": 40} | settings))
    return list(Collector({"counting": (environment, parity)}, policy, config).groups(tasks(count)))


@pytest.fixture
def policy(tmp_path: Path) -> LocalPolicy:
    made = random_checkpoint(tmp_path)
    return LocalPolicy(made.config, made.weights)


def test_groups_are_whole_and_their_members_differ(policy: LocalPolicy) -> None:
    groups = collect(policy, Counting())
    assert sorted(group.task.id for group in groups) == ["0", "1", "2"]
    for group in groups:
        assert [r.member for r in group.rollouts] == [0, 1, 2, 3]
        assert len({r.tokens.tobytes() for r in group.rollouts}) > 1
        for r in group.rollouts:
            assert r.tokens[:3].tolist() == [1, 10 + int(group.task.id), 11]
            assert r.ending is Ending.OVER
            assert (r.versions[r.actions] == 0).all()
            assert (r.logprobs[~r.actions] == 0).all()
            assert (r.logprobs[r.actions] < 0).all()


def test_what_is_drawn_depends_on_nothing_but_the_numbers(policy: LocalPolicy) -> None:
    def drawn(**settings: Any) -> set[tuple[str, int, bytes]]:
        groups = collect(policy, Counting(), **settings)
        return {(g.task.id, r.member, r.tokens.tobytes()) for g in groups for r in g.rollouts}

    assert drawn() == drawn(width=1) == drawn(width=12, threads=1)
    assert drawn() != drawn(seed=1)


def test_turns_alternate_and_each_is_rewarded(policy: LocalPolicy) -> None:
    for group in collect(policy, Counting(turns=3), max_turns=3, max_tokens=300):
        for r in group.rollouts:
            begins = np.flatnonzero(np.diff(r.actions.astype(int)) == 1) + 1
            assert len(begins) == len(r.rewards) == 3
            for begin, reward in zip(begins, r.rewards, strict=True):
                length = int(r.actions[begin:].argmin())  # the first token of the environment after it
                assert r.tokens[begin + length : begin + length + 2].tolist() == [9, length]
                assert reward == (length % 2 == 0)


def test_limits_end_a_rollout_that_goes_on(policy: LocalPolicy) -> None:
    for group in collect(policy, Counting(turns=5), max_turns=2, max_tokens=300):
        assert all(r.ending is Ending.LENGTH and len(r.rewards) == 2 for r in group.rollouts)
    for group in collect(policy, Counting(turns=1000), max_turns=1000, max_tokens=40):
        assert all(r.ending is Ending.LENGTH and len(r.tokens) <= 40 for r in group.rollouts)


@pytest.mark.parametrize("most", range(10, 16))
def test_nothing_is_longer_than_the_objective_allows(policy: LocalPolicy, most: int) -> None:
    groups = collect(policy, Counting(), max_tokens=most)  # what is answered to the last action may have no room
    assert max(len(r.tokens) for group in groups for r in group.rollouts) <= most


class Leaky(Counting):
    """Loses the state of every third episode once, as a node does that dies."""

    def __init__(self) -> None:
        super().__init__(turns=2)
        self.lost: set[int] = set()

    def start(self, task: Task, seed: int) -> Transition:
        return replace(super().start(task, seed), state=(0, object()))

    def step(self, state: Any, action: Sequence[int]) -> Transition:
        turn, which = state
        if turn and len(action) % 3 == 0 and id(which) not in self.lost and len(self.lost) < 4:
            self.lost.add(id(which))
            raise LostError("a node died")
        transition = super().step(turn, action)
        return replace(transition, state=(transition.state, which))


def test_an_episode_whose_state_is_lost_is_begun_again_and_is_the_same(policy: LocalPolicy) -> None:
    leaky = Leaky()
    settings = {"max_turns": 2, "max_tokens": 100}
    lost = {(g.task.id, r.member): r.tokens.tolist() for g in collect(policy, leaky, **settings) for r in g.rollouts}
    assert leaky.lost
    whole = collect(policy, Counting(turns=2), **settings)
    assert lost == {(g.task.id, r.member): r.tokens.tolist() for g in whole for r in g.rollouts}


def test_new_weights_are_taken_in_the_middle_of_an_action(tmp_path: Path, policy: LocalPolicy) -> None:
    other = random_checkpoint(tmp_path / "other", seed=1)
    writing = policy.begin([1, 2, 3], Draw(seed=0, rollout=0, turn=0), limit=20, stop=())
    for _ in range(8):
        policy.advance()
    policy.load(other.weights, 5)
    while not writing.is_over:
        policy.advance()
    assert writing.versions == [0] * 8 + [5] * 12
    assert len(writing.tokens) == len(writing.logprobs) == 20
    # had the old weights written on, or the new ones begun, it would be another text
    texts = []
    for weights in (random_checkpoint(tmp_path).weights, other.weights):
        alone = LocalPolicy(other.config, weights)
        text = alone.begin([1, 2, 3], Draw(seed=0, rollout=0, turn=0), limit=20, stop=())
        while not text.is_over:
            alone.advance()
        texts.append(text.tokens)
    assert writing.tokens[:8] == texts[0][:8]
    assert writing.tokens not in texts


def test_what_begins_before_new_weights_and_is_written_after_them_is_all_theirs(tmp_path: Path, policy: LocalPolicy) -> None:
    """The prompt, too: else its tokens would be of one version, and the keys that they saw of another."""
    other = random_checkpoint(tmp_path, seed=1)
    ids, how = [1, 2, 3, 4], {"limit": 6, "stop": ()}
    early = policy.begin(ids, Draw(seed=3, rollout=0, turn=0), **how)
    policy.load(other.weights, 5)
    alone = LocalPolicy(other.config, other.weights)
    late = alone.begin(ids, Draw(seed=3, rollout=0, turn=0), **how)
    while not (early.is_over and late.is_over):
        policy.advance()
        alone.advance()
    assert early.versions == [5] * 6
    assert early.tokens == late.tokens
    assert early.logprobs == late.logprobs


def test_an_error_of_an_environment_names_where_it_was(policy: LocalPolicy) -> None:
    with pytest.raises(
        TrainingError, match=r"environment counting, task \d+, seed \d+, rollout \d+ after \d+ actions.*a five"
    ):
        collect(policy, Counting(turns=-50), count=20, max_turns=50, max_tokens=300)


def test_what_the_environment_wrote_is_marked(policy: LocalPolicy) -> None:
    [group] = collect(policy, Counting(), count=1)
    r = group.rollouts[0]
    assert r.versions[:3].tolist() == [ENVIRONMENT] * 3
    assert r.versions[-2:].tolist() == [ENVIRONMENT] * 2
    assert r.length == len(r.tokens) - 5
