"""Rollouts on disk: every group that a learner looked at, a line each, whole; and one of them done once more.

for group in read_groups(run / "rollouts.jsonl"): …
replay(environments, group.rollouts[0])            # its actions, in its environment: the same answers and rewards?
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from foretrace.errors import FormatError
from foretrace.rl.types import ENVIRONMENT, Ending, Environment, Group, Reward, Rollout, Task

ROLLOUTS = "rollouts.jsonl"


def group_to_json(group: Group, version: int) -> dict[str, Any]:
    """JSON values; log probabilities have six digits.

    Args:
        group: to write.
        version: of the learner that looked at it.

    """
    task = {"environment": group.task.environment, "id": group.task.id, "data": dict(group.task.data)}
    return {"step": version, "task": task, "rollouts": [_rollout_to_json(rollout) for rollout in group.rollouts]}


def group_from_json(record: Mapping[str, Any]) -> Group:
    """The group of a line.

    Raises:
        FormatError: it is none.

    """
    try:
        task = Task(**record["task"])
        return Group(task=task, rollouts=tuple(_rollout_from_json(task, rollout) for rollout in record["rollouts"]))
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"this is no group of rollouts: {type(error).__name__}: {error}") from error


def read_groups(file: Path) -> Iterator[Group]:
    """All groups of a run, in the order in which the learner looked at them."""
    return (group for _, group in read_looked_at(file))


def read_looked_at(file: Path) -> Iterator[tuple[int, Group]]:
    """All groups of a run, each with the update that looked at it."""
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):  # a killed run may leave half a line
                record = json.loads(line)
                yield record["step"], group_from_json(record)


def replay(environments: Mapping[str, tuple[Environment, Reward]], rollout: Rollout) -> list[str]:
    """Does a rollout's actions once more in its environment.

    Returns:
        What differs from what is recorded; empty if nothing does.

    """
    environment, reward = environments[rollout.task.environment]
    differences: list[str] = []
    transition, rewards = environment.start(rollout.task, rollout.seed), []
    for turn, (observed, action) in enumerate(turns_of(rollout)):
        if list(transition.observation[: None if action else len(observed)]) != observed:  # the last one may be cut
            differences.append(f"what the policy saw before action {turn}")
        if not action:
            break
        transition = environment.step(transition.state, action)
        rewards.append(reward(transition, action))
    if not transition.is_over:
        environment.close(transition.state)
    if rewards != list(rollout.rewards):
        differences.append(f"rewards: recorded {list(rollout.rewards)}, now {rewards}")
    if dict(transition.outcome) != dict(rollout.outcome):
        differences.append(f"outcome: recorded {dict(rollout.outcome)}, now {dict(transition.outcome)}")
    return differences


def turns_of(rollout: Rollout) -> list[tuple[list[int], list[int]]]:
    """What was seen and what was done, by turn; what comes after the last action has an empty one."""
    turns: list[tuple[list[int], list[int]]] = []
    was_action = True
    for token, is_action in zip(rollout.tokens.tolist(), rollout.actions.tolist(), strict=True):
        if was_action and not is_action:
            turns.append(([], []))
        turns[-1][is_action].append(token)
        was_action = is_action
    return turns


def _rollout_to_json(rollout: Rollout) -> dict[str, Any]:
    written = rollout.actions
    return {
        "seed": rollout.seed,
        "member": rollout.member,
        "tokens": rollout.tokens.tolist(),
        "versions": rollout.versions.tolist(),
        "logprobs": [round(value, 6) for value in rollout.logprobs[written].tolist()],
        "rewards": list(rollout.rewards),
        "ending": rollout.ending.value,
        "outcome": dict(rollout.outcome),
        "seconds": round(rollout.seconds, 3),
    }


def _rollout_from_json(task: Task, record: Mapping[str, Any]) -> Rollout:
    versions = np.array(record["versions"], np.int32)
    logprobs = np.zeros(len(versions), np.float32)
    logprobs[versions != ENVIRONMENT] = record["logprobs"]
    tokens, rewards = np.array(record["tokens"], np.int32), tuple(record["rewards"])
    kept = {name: record[name] for name in ("seed", "member", "outcome", "seconds")}
    return Rollout(
        task=task,
        tokens=tokens,
        versions=versions,
        logprobs=logprobs,
        rewards=rewards,
        ending=Ending(record["ending"]),
        **kept,
    )
