"""Rollouts in rows, as the model takes documents; what rollouts of a group begin with, their prompt, is in a row once.

for row in pack(selection.chosen, tokens_per_row=8192):
    tokens, documents, where, targets = row.on(device)
    objective = row.objective(device, scale=…, clip=…)
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foretrace.model.documents import Documents, moved
from foretrace.rl.loss import Clip, Objective
from foretrace.rl.selection import Chosen


@dataclass(frozen=True, slots=True)
class RolloutRow:
    """Rollouts of some groups: N tokens, of which M are predicted."""

    tokens: NDArray[np.int64]
    """(N,): of each group the prompt, then what follows it in each rollout."""
    groups: tuple[tuple[int, tuple[int, ...]], ...]
    """Of each the length of the prompt, and of what follows it in each rollout."""
    where: NDArray[np.int64]
    """(M,): index of the token before each predicted one."""
    targets: NDArray[np.int64]
    """(M,): the predicted tokens."""
    logprobs: NDArray[np.float32]
    """(M,): of each when it was drawn."""
    advantages: NDArray[np.float32]
    """(M,): of each one's rollout."""
    versions: NDArray[np.int32]
    """(M,): of the policy that wrote each; `ENVIRONMENT` for what an environment wrote."""
    oldest: NDArray[np.int32]
    """(M,): the oldest version that wrote a token of the rollout up to here: keys and values may be from it on."""
    observed: NDArray[np.bool_]
    """(M,): whether an environment wrote it."""

    def on(self, device: torch.device) -> tuple[Tensor, Documents, Tensor, Tensor]:
        """What the model predicts, on a device: tokens (N,), documents, where (M,), targets (M,); see `CausalLM.predict`."""
        tokens, where, targets = (moved(torch.from_numpy(a), device) for a in (self.tokens, self.where, self.targets))
        return tokens, Documents.branching(self.groups, device), where, targets

    def objective(self, device: torch.device, *, scale: float, clip: Clip, observation_weight: float = 0.0) -> Objective:
        """What weighs the M predictions; arguments as those of `Objective`."""
        arrays = self.logprobs, self.advantages, self.observed
        logprobs, advantages, observed = (moved(torch.from_numpy(array), device) for array in arrays)
        return Objective(
            logprobs, advantages, scale=scale, clip=clip, observed=observed, observation_weight=observation_weight
        )


@dataclass(frozen=True, slots=True)
class _Branches:
    """Rollouts with the same prompt."""

    prompt: NDArray[np.int32]
    """(P,)"""
    chosen: Sequence[Chosen]

    @property
    def size(self) -> int:
        """Tokens of a row that it takes."""
        return len(self.prompt) + sum(len(each.rollout.tokens) - len(self.prompt) for each in self.chosen)


def pack(chosen: Iterable[Chosen], tokens_per_row: int, *, learn_observations: bool = False) -> list[RolloutRow]:
    """Rows of whole rollouts, the largest groups first into the first row that has room.

    Args:
        chosen: none of them longer than a row, and each with a token of the policy.
        tokens_per_row: at most. A group that takes more is divided.
        learn_observations: whether what environments write after the first action is predicted, too.

    """
    rows: list[list[_Branches]] = []
    sizes: list[int] = []
    pieces = [piece for group in _by_prompt(chosen) for piece in _pieces(group, tokens_per_row)]
    for piece in sorted(pieces, key=lambda p: -p.size):
        fitting = next((at for at, size in enumerate(sizes) if size + piece.size <= tokens_per_row), None)
        if fitting is None:
            fitting = len(rows)
            rows.append([])
            sizes.append(0)
        rows[fitting].append(piece)
        sizes[fitting] += piece.size
    return [_row(row, learn_observations) for row in rows]


def empty() -> RolloutRow:
    """A row in which nothing is predicted, for a process that has none of its own."""
    ints, floats = np.zeros(0, np.int64), np.zeros(0, np.float32)
    versions = np.zeros(0, np.int32)
    return RolloutRow(
        np.zeros(2, np.int64), ((1, (1,)),), ints, ints, floats, floats, versions, versions, np.zeros(0, np.bool_)
    )


def _by_prompt(chosen: Iterable[Chosen]) -> Iterator[_Branches]:
    groups: dict[bytes, list[Chosen]] = defaultdict(list)
    for each in chosen:
        groups[each.rollout.tokens[: _begin(each)].tobytes()].append(each)
    for prompt, group in groups.items():
        yield _Branches(np.frombuffer(prompt, np.int32), group)


def _pieces(group: _Branches, most: int) -> Iterator[_Branches]:
    """A group in pieces of at most so many tokens."""
    piece: list[Chosen] = []
    for each in group.chosen:
        if piece and _Branches(group.prompt, [*piece, each]).size > most:
            yield _Branches(group.prompt, piece)
            piece = []
        piece.append(each)
    yield _Branches(group.prompt, piece)


def _row(row: Sequence[_Branches], learn_observations: bool) -> RolloutRow:
    tokens: list[NDArray[np.int32]] = []
    parts: list[tuple[NDArray[np.generic], ...]] = []
    size = 0
    for branches in row:
        tokens.append(branches.prompt)
        last, length = size + len(branches.prompt) - 1, len(branches.prompt)
        size += length
        for each in branches.chosen:
            rest = each.rollout.tokens[length:]
            before = np.concatenate([[last], np.arange(size, size + len(rest) - 1)])
            parts.append(_predicted(each, length, before, learn_observations))
            tokens.append(rest)
            size += len(rest)
    groups = tuple((len(b.prompt), tuple(len(each.rollout.tokens) - len(b.prompt) for each in b.chosen)) for b in row)
    columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    return RolloutRow(np.concatenate(tokens).astype(np.int64), groups, *columns)


def _predicted(
    each: Chosen, begin: int, before: NDArray[np.int64], learn_observations: bool
) -> tuple[NDArray[np.generic], ...]:
    """The columns of a `RolloutRow`, from `where` on, for what of a rollout is predicted from its first action on."""
    rollout = each.rollout
    actions, versions = rollout.actions[begin:], rollout.versions[begin:]
    oldest = np.minimum.accumulate(np.where(actions, versions, np.iinfo(np.int32).max)).astype(np.int32)
    kept = np.ones_like(actions) if learn_observations else actions
    advantages = np.full(len(actions), each.advantage, np.float32)
    targets, logprobs = rollout.tokens[begin:].astype(np.int64), rollout.logprobs[begin:]
    columns = before, targets, logprobs, advantages, versions, oldest, ~actions
    return tuple(column[kept] for column in columns)


def _begin(each: Chosen) -> int:
    """Where the first action begins: the length of the prompt."""
    return int(each.rollout.actions.argmax())
