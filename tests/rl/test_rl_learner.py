"""The learner: it agrees with the sampler, raises what is rewarded, and goes on from where it was."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from random_checkpoints import random_checkpoint

from foretrace.errors import UsageError
from foretrace.model.checkpoint import Checkpoint
from foretrace.rl.collector import Collecting, Collector
from foretrace.rl.learner import Learner, Learning, _Meter
from foretrace.rl.policies import LocalPolicy
from foretrace.rl.rows import pack
from foretrace.rl.selection import Selection
from foretrace.rl.types import PlainStates, Task, Transition
from foretrace.train.schedule import Schedule

LENGTH = 8
MOST = 3 + LENGTH + 2


class Low(PlainStates):
    """Actions of eight tokens, which should be in the lower half of the vocabulary."""

    name = "low"
    stop: frozenset[int] = frozenset()

    def start(self, task: Task, seed: int) -> Transition:
        return Transition(state=None, observation=(1, 2, seed % 50))

    def step(self, state: Any, action: Sequence[int]) -> Transition:
        share = sum(token < 350 for token in action) / len(action)
        return Transition(state=None, observation=(7, 8), is_over=True, outcome={"share": share})


def collector(policy: LocalPolicy, **more: Any) -> Collector:
    config = Collecting(max_tokens=MOST, max_action=LENGTH, width=28)
    return Collector({"low": (Low(), lambda transition, _: transition.outcome["share"])}, policy, config, **more)


def starts() -> Any:
    return ((Task(environment="low", id=str(at), data={}), at) for at in count())


def selection(groups: Any, budget: int, version: int = 0) -> Selection:
    chosen = Selection(budget=budget, vocab_size=700)
    while not chosen.is_full:
        chosen.add(next(groups), version)
    return chosen


def learning(**settings: Any) -> Learning:
    schedule = Schedule(kind="constant", lr=settings.pop("lr", 0.0), warmup_steps=0)
    return Learning(schedule=schedule, max_tokens=MOST, tokens_per_row=200, **settings)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return random_checkpoint(tmp_path_factory.mktemp("start"))


def test_sampler_and_learner_hold_the_same_tokens_as_likely(start: Checkpoint) -> None:
    groups = collector(LocalPolicy(start.config, start.weights)).groups(starts())
    report = Learner(start.folder, learning()).update(selection(groups, 600).chosen)
    assert 0 < report["mismatch"] < 1e-3
    assert report["tokens"] >= 600
    assert report["ratio"] == pytest.approx(1, abs=1e-3)
    assert report["clipped"] == 0
    assert report["lag"] == report["max_lag"] == 0


def test_what_is_rewarded_becomes_likelier(start: Checkpoint) -> None:
    learner = Learner(start.folder, learning(lr=2e-2))
    newest: list[tuple[Any, int]] = []
    made = collector(LocalPolicy(start.config, start.weights), weights=lambda: newest.pop() if newest else None)
    groups, rewards, lags = made.groups(starts()), [], []
    for _ in range(24):
        batch = selection(groups, 500, learner.version)
        rewards.append(float(np.mean([r.value for r in batch.seen])))
        lags.append(learner.update(batch.chosen)["max_lag"])
        newest.append((learner.weights(), learner.version))
    assert np.mean(rewards[-6:]) > np.mean(rewards[:3]) + 0.15, rewards
    assert max(lags) >= 1  # rollouts that were begun before an update were gone on with
    assert learner.version == 24


def test_rows_have_a_prompt_once_and_only_actions_are_predicted(start: Checkpoint) -> None:
    groups = collector(LocalPolicy(start.config, start.weights)).groups(starts())
    chosen = selection(groups, 600).chosen
    rows = pack(chosen, 100)
    assert all(len(row.tokens) <= 100 for row in rows)
    assert sum(len(rests) for row in rows for _, rests in row.groups) == len(chosen)
    assert sum(len(row.tokens) for row in rows) < sum(len(each.rollout.tokens) for each in chosen)
    predicted = sorted((t, a) for row in rows for t, a in zip(row.targets.tolist(), row.advantages.tolist(), strict=True))
    assert predicted == sorted((int(t), each.advantage) for each in chosen for t in each.rollout.tokens[3 : 3 + LENGTH])
    assert not any(row.observed.any() for row in rows)
    first = rows[0]
    assert first.tokens[first.where[0] + 1] == first.targets[0]  # the prompt's first rollout follows it
    assert first.where[LENGTH] == first.where[0]  # so does the second, in what it sees
    echo = pack(chosen, 100, learn_observations=True)
    assert echo[0].observed[: LENGTH + 2].tolist() == [False] * LENGTH + [True] * 2


def test_a_shared_prompt_changes_no_gradient(start: Checkpoint) -> None:
    """Each rollout as a group of its own, so that its prompt is its own, against all of them together."""
    groups = collector(LocalPolicy(start.config, start.weights)).groups(starts())
    chosen = selection(groups, 400).chosen
    together, apart = Learner(start.folder, learning()), Learner(start.folder, learning())
    for learner, batches in ((together, [chosen]), (apart, [[each] for each in chosen])):
        for batch in batches:
            for row in pack(batch, 200):
                learner._add_gradient(row, len(chosen), 0, _Meter(0))
    for name, parameter in together.parameters.items():
        torch.testing.assert_close(parameter.grad, apart.parameters[name].grad, atol=1e-6, rtol=1e-4, msg=name)


def test_what_environments_wrote_is_learnt_if_asked(start: Checkpoint) -> None:
    def loss_after(weight: float) -> float:
        groups = collector(LocalPolicy(start.config, start.weights)).groups(starts())
        learner = Learner(start.folder, learning(lr=3e-3, observation_weight=weight))
        for _ in range(4):
            learner.update(selection(groups, 400, learner.version).chosen)
        sampled = LocalPolicy(start.config, learner.weights())
        tokens = selection(collector(sampled).groups(starts()), 200).chosen[0].rollout.tokens
        logits = sampled._batch._forward.logits(
            sampled._batch._forward.advance([tokens.tolist()], [sampled._batch._forward.new_cache()])
        )
        return float(np.log(np.exp(logits[-2] - logits[-2].max()).sum()) + logits[-2].max() - logits[-2][8])

    assert loss_after(1.0) < loss_after(0.0) - 1


def test_some_parameters_alone_may_be_learnt(start: Checkpoint) -> None:
    groups = collector(LocalPolicy(start.config, start.weights)).groups(starts())
    learner = Learner(start.folder, learning(lr=1e-2, trainable="norm"))
    learner.update(selection(groups, 400).chosen)
    changed = {name for name, value in learner.weights().items() if not np.array_equal(value, start.weights[name])}
    assert changed == {name for name in start.weights if "norm" in name}
    with pytest.raises(UsageError, match="trainable='nothing'"):
        Learner(start.folder, learning(trainable="nothing"))


def test_a_run_goes_on_from_its_state_to_the_bit(start: Checkpoint, tmp_path: Path) -> None:
    groups = collector(LocalPolicy(start.config, start.weights)).groups(starts())
    first, second = selection(groups, 400).chosen, selection(groups, 400).chosen
    whole = Learner(start.folder, learning(lr=1e-3))
    whole.update(first)
    whole.save(tmp_path / "state", {"rollouts": 64})
    whole.update(second)
    resumed = Learner(start.folder, learning(lr=1e-3), state=tmp_path / "state")
    assert resumed.version == 1
    assert resumed.progress == {"rollouts": 64}
    resumed.update(second)
    for name, value in whole.weights().items():
        assert np.array_equal(value, resumed.weights()[name]), name
