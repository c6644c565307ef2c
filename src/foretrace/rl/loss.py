"""The objective of CWM's reinforcement learning (arXiv:2510.02387, section 5.2), a variant of GRPO (arXiv:2402.03300).

G rollouts of one problem are a group; R_i is the return of rollout i, l_i the number of tokens that the policy wrote in it,
and r_t the probability of a token now over that when it was drawn.

    A_i  =  R_i - sum_j l_j R_j / sum_j l_j                           a mean weighted by length; no division by the deviation
    J    =  sum_i sum_t min(r_t A_i, clip(r_t, 0.80, 1.25) A_i) / N   over the policy's tokens; N: the most in a rollout

There is no penalty for leaving a reference model. Where the minimum is the clipped term the gradient is zero, elsewhere
it is r_t A_i times that of the token's log probability: that of a cross-entropy in which each token weighs r_t A_i / N. So
the objective is a way to weigh predictions, and the head never holds all logits (`model/loss.py`).

    advantages = group_advantages(returns, lengths)
    objective = Objective(logprobs, advantages[owners], scale=1 / 4096)
    model.predict(tokens, documents, where, targets, objective.weigh)[0].loss.backward()
    objective.clipped, objective.ratios
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foretrace.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """How far a token's probability may move until its gradient ends; wider upwards (DAPO, arXiv:2503.14476)."""

    low: float = 0.20
    high: float = 0.25

    def __post_init__(self) -> None:
        """Checks the bounds.

        Raises:
            UsageError: they leave no room.

        """
        if not (0 <= self.low < 1 and self.high >= 0):
            raise UsageError(f"clip: low={self.low} must be in [0, 1), and high={self.high} at least 0")


def group_advantages(returns: Sequence[float], lengths: Sequence[int]) -> NDArray[np.float32]:
    """How much better than its group each rollout did: (G,). All of length 0 count alike."""
    rewards, weights = np.asarray(returns, np.float64), np.asarray(lengths, np.float64)
    if not weights.any():
        weights = np.ones_like(weights)
    return np.asarray(rewards - (weights * rewards).sum() / weights.sum(), np.float32)


class Objective:
    """Weighs M predictions of one row, and keeps what became of their probabilities."""

    def __init__(
        self,
        logprobs: Tensor,
        advantages: Tensor,
        *,
        scale: float,
        clip: Clip | None = None,
        observed: Tensor | None = None,
        observation_weight: float = 0.0,
    ) -> None:
        """Of tokens of the policy, and of the environment's if they are to be learnt, too.

        Args:
            logprobs: (M,) float32: of each token when it was drawn, under the distribution that it was drawn from.
            advantages: (M,) float32: of each token's rollout.
            scale: of the sum: 1 / N.
            clip: the bounds of ratios.
            observed: (M,) bool: the tokens that the environment wrote; None: none of them.
            observation_weight: of their cross-entropy (ECHO, arXiv:2605.24517).

        """
        self.logprobs, self.advantages = logprobs, advantages
        self.scale, self.clip = scale, clip or Clip()
        self.observed = observed if observed is not None else torch.zeros_like(logprobs, dtype=torch.bool)
        self.observation_weight = observation_weight
        self.ratios = torch.ones_like(logprobs)
        """(M,): probability now over that when drawn."""
        self.clipped = torch.zeros_like(self.observed)
        """(M,) bool: tokens without a gradient because they have moved far enough."""
        self.value = 0.0
        """Of the objective J over the policy's tokens, so far."""

    def weigh(self, chunk: slice, nll: Tensor) -> Tensor:
        """What each of some predictions weighs in a cross-entropy with the objective's gradient (with its sign turned).

        Args:
            chunk: which of the M predictions.
            nll: (m,) float32: their negative log-likelihoods now.

        """
        advantage, drawn = self.advantages[chunk], ~self.observed[chunk]
        ratio = torch.where(drawn, (-nll - self.logprobs[chunk]).exp(), 1.0)
        bounded = ratio.clamp(1 - self.clip.low, 1 + self.clip.high)
        clipped = drawn & (bounded * advantage < ratio * advantage)
        self.ratios[chunk], self.clipped[chunk] = ratio, clipped
        terms = torch.where(drawn, torch.minimum(ratio * advantage, bounded * advantage), 0.0)
        self.value += float(terms.sum()) * self.scale
        of_policy = torch.where(clipped, 0.0, ratio * advantage * self.scale)
        return torch.where(drawn, of_policy, self.observation_weight)
