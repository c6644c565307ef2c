"""Rollouts end to end in rows, as the model takes documents, each token with what it was drawn with.

rows = pack(selection.chosen, tokens_per_row=8192)
row = Row.of(rows[0].batch, device);  objective = rows[0].objective(row.where, config, scale)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foretrace.data.batch import Batch
from foretrace.data.kinds import Kind
from foretrace.rl.loss import Clip, Objective
from foretrace.rl.selection import Chosen


@dataclass(frozen=True, slots=True)
class RolloutRow:
    """R rollouts end to end, N tokens."""

    batch: Batch
    """Its weights are 1 for tokens that are to be predicted, and 0 for others."""
    logprobs: NDArray[np.float32]
    """(N,): of each token when it was drawn."""
    advantages: NDArray[np.float32]
    """(N,): of each token's rollout."""
    versions: NDArray[np.int32]
    """(N,): of the policy that wrote each token."""
    oldest: NDArray[np.int32]
    """(N,): the oldest version that wrote a token of the rollout up to here: keys and values may be from it on."""

    def objective(self, where: Tensor, *, scale: float, clip: Clip, observation_weight: float = 0.0) -> Objective:
        """What weighs the row's M predictions; arguments as those of `Objective`.

        Args:
            where: (M,) int64: index of the token before each predicted one.
            scale: 1 / N of the objective.
            clip: of ratios.
            observation_weight: of an environment's token.

        """
        at = where.cpu().numpy() + 1
        logprobs, advantages = (torch.from_numpy(a[at]).to(where.device) for a in (self.logprobs, self.advantages))
        observed = torch.from_numpy(self.batch.kinds[at] == Kind.OBSERVATION).to(where.device)
        return Objective(
            logprobs, advantages, scale=scale, clip=clip, observed=observed, observation_weight=observation_weight
        )


def pack(chosen: Sequence[Chosen], tokens_per_row: int, *, learn_observations: bool = False) -> list[RolloutRow]:
    """Rows of whole rollouts, the longest first into the first row that has room.

    Args:
        chosen: none of them longer than a row.
        tokens_per_row: at most.
        learn_observations: whether what environments write after the first action is predicted, too.

    """
    rows: list[list[Chosen]] = []
    sizes: list[int] = []
    for each in sorted(chosen, key=lambda c: -len(c.rollout.tokens)):
        length = len(each.rollout.tokens)
        fitting = next((at for at, size in enumerate(sizes) if size + length <= tokens_per_row), None)
        if fitting is None:
            fitting = len(rows)
            rows.append([])
            sizes.append(0)
        rows[fitting].append(each)
        sizes[fitting] += length
    return [_row(row, learn_observations) for row in rows]


def empty() -> RolloutRow:
    """A row in which nothing is predicted, for a process that has none of its own."""
    batch = Batch(np.zeros(1, np.int64), (1,), np.zeros(1, np.uint8), np.zeros(1, np.float32), np.zeros(1, np.int64))
    none = np.zeros(1, np.float32), np.zeros(1, np.int32)
    return RolloutRow(batch, none[0], none[0], none[1], none[1])


def _row(row: Sequence[Chosen], learn_observations: bool) -> RolloutRow:
    lengths = tuple(len(each.rollout.tokens) for each in row)
    kinds = np.concatenate([_kinds(each) for each in row])
    learnt = (kinds == Kind.ACTION) | (learn_observations & (kinds == Kind.OBSERVATION))
    batch = Batch(
        np.concatenate([each.rollout.tokens for each in row]).astype(np.int64),
        lengths,
        kinds,
        learnt.astype(np.float32),
        np.zeros(len(row), np.int64),
    )
    advantages = np.repeat(np.array([each.advantage for each in row], np.float32), lengths)
    logprobs, versions = (np.concatenate([getattr(e.rollout, name) for e in row]) for name in ("logprobs", "versions"))
    return RolloutRow(batch, logprobs, advantages, versions, np.concatenate([_oldest(each) for each in row]))


def _oldest(each: Chosen) -> NDArray[np.int32]:
    versions = each.rollout.versions
    return np.minimum.accumulate(np.where(each.rollout.actions, versions, np.iinfo(np.int32).max)).astype(np.int32)


def _kinds(each: Chosen) -> NDArray[np.uint8]:
    """(N,): the prompt is what comes before the first action."""
    actions = each.rollout.actions
    begun = actions.cumsum() > 0
    return np.where(actions, Kind.ACTION, np.where(begun, Kind.OBSERVATION, Kind.PROMPT)).astype(np.uint8)
