"""Whole runs of a small model: both modes, resuming, rollouts that can be done again."""

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from random_checkpoints import random_checkpoint

from foretrace.engine import load
from foretrace.errors import TrainingError, UsageError
from foretrace.rl.collector import Collecting
from foretrace.rl.learner import Learning
from foretrace.rl.records import read_groups, replay
from foretrace.rl.run import RunConfig, run
from foretrace.rl.source import Part, TaskSource
from foretrace.rl.types import PlainStates, Task, Transition
from foretrace.train.schedule import Schedule

LENGTH = 11


class Low(PlainStates):
    """Actions should be in the lower half of the vocabulary."""

    name = "low"
    stop: frozenset[int] = frozenset()

    def start(self, task: Task, seed: int) -> Transition:
        if task.data.get("is_broken"):
            raise RuntimeError("the disk is on fire")
        return Transition(state=None, observation=(1, 2, seed % 50))

    def step(self, state: Any, action: Sequence[int]) -> Transition:
        share = sum(token < 350 for token in action) / len(action)
        return Transition(state=None, is_over=True, outcome={"share": share})


ENVIRONMENTS = {"low": (Low(), lambda transition, _: 2 * transition.outcome["share"] - 1)}


def tasks(count: int = 20, **data: Any) -> list[Task]:
    return [Task(environment="low", id=str(at), data=data) for at in range(count)]


def config(tmp_path: Path, **settings: Any) -> RunConfig:
    folder = tmp_path / "start"
    if not folder.exists():
        random_checkpoint(folder)
    schedule = Schedule(kind="constant", lr=1e-3, warmup_steps=0)
    usual: dict[str, Any] = {
        "updates": 4,
        "budget": 150,
        "ahead": 2,
        "collecting": Collecting(group_size=4, width=8, max_tokens=LENGTH),
        "learning": Learning(schedule=schedule, max_tokens=LENGTH, tokens_per_row=100),
        "save_every": 2,
        "measure_every": 2,
    }
    return RunConfig(start=folder, out=tmp_path / "run", **(usual | settings))


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_run_tells_what_it_did_and_leaves_a_checkpoint(tmp_path: Path, mode: str) -> None:
    measured: list[float] = []

    def measure(weights: Any) -> dict[str, float]:
        measured.append(float(np.abs(weights["model.norm.weight"]).sum()))
        return {"size": measured[-1]}

    chosen = config(tmp_path, mode=mode)
    folder = run(chosen, ENVIRONMENTS, TaskSource([Part(tasks=tasks())]), measure=measure)
    assert load(str(folder)).context_length == 128
    updates = [record for record in records(chosen.out) if "reward" in record]
    assert [record["step"] for record in updates] == [1, 2, 3, 4]
    for record in updates:
        assert record["tokens"] >= 150
        assert record["solved_by_environment"].keys() == {"low"}
        assert -1 <= record["reward"] <= 1
        assert record["mismatch"] < 1e-3
    held_out = [record["held_out"]["size"] for record in records(chosen.out) if "held_out" in record]
    assert held_out == measured
    assert len(held_out) == 3  # before, midway, after
    assert len(set(held_out)) == 3


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    chosen = config(tmp_path, mode="sync")
    source = TaskSource([Part(tasks=tasks())], seed=3)
    run(replace(chosen, updates=2), ENVIRONMENTS, source)
    with open(chosen.out / "metrics.jsonl", "a") as file:
        file.write('{"step": 3, "reward": 99}\n{"step": 3, "rew')  # as a kill may leave it
    again = TaskSource([Part(tasks=tasks())], seed=3)
    run(chosen, ENVIRONMENTS, again)
    assert [r["step"] for r in records(chosen.out) if "reward" in r] == [1, 2, 3, 4]
    assert all(r["reward"] < 2 for r in records(chosen.out) if "reward" in r)
    seen = [(g.task.id, g.rollouts[0].seed) for g in read_groups(chosen.out / "rollouts.jsonl")]
    assert len(set(seen)) == len(seen)  # none twice: also the source has gone on
    assert again.state()["drawn"] > source.state()["drawn"]


def test_a_recorded_rollout_can_be_done_again(tmp_path: Path) -> None:
    chosen = config(tmp_path, mode="sync", updates=1)
    run(chosen, ENVIRONMENTS, TaskSource([Part(tasks=tasks())]))
    for group in read_groups(chosen.out / "rollouts.jsonl"):
        for rollout in group.rollouts:
            assert replay(ENVIRONMENTS, rollout) == []
            assert rollout.logprobs[rollout.actions].max() < 0
    odd = replace(rollout, rewards=(7.0,))
    assert replay(ENVIRONMENTS, odd) == [f"rewards: recorded [7.0], now {list(rollout.rewards)}"]
    assert "saw before action 0" in replay(ENVIRONMENTS, replace(rollout, seed=rollout.seed + 1))[0]


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_an_environment_that_fails_ends_the_run_and_says_where(tmp_path: Path, mode: str) -> None:
    with pytest.raises(TrainingError, match=r"environment low, task \d+, seed \d+.*on fire"):
        run(config(tmp_path, mode=mode), ENVIRONMENTS, TaskSource([Part(tasks=tasks(is_broken=True))]))
    assert not [thread for thread in threading.enumerate() if thread.name == "collector"]


def test_settings_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="async or sync"):
        config(tmp_path, mode="fast")
    with pytest.raises(UsageError, match=r"may have 500 tokens.*made for 11"):
        config(tmp_path, collecting=Collecting(max_tokens=500))
