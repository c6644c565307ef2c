"""Choosing tokens from logits, reproducibly whatever the batch, and saying how likely they were.

[token] = Sampler(temperature=0.8, top_p=0.95, seed=1).choose(logits, sequences=[0], positions=[17])
[logprob], [margin] = judge(logits, [token])
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_GREEDY_BELOW = 1e-4
"""A temperature at which no second choice has a chance, and logits divided by it are still numbers."""


class Sampler:
    """Greedy at temperature 0, else nucleus sampling (arXiv:1904.09751), seeded per sequence and position."""

    def __init__(self, temperature: float, top_p: float, seed: int) -> None:
        self.temperature, self.top_p, self.seed = temperature, top_p, seed

    @property
    def is_greedy(self) -> bool:
        """Whether it always takes the likeliest token."""
        return self.temperature < _GREEDY_BELOW

    def choose(self, logits: NDArray[np.float32], sequences: Sequence[int], positions: Sequence[int]) -> NDArray[np.int64]:
        """The next token (B,) of each sequence, of which `positions` tokens exist. logits: (B, vocab_size)."""
        if self.is_greedy:
            return np.asarray(logits.argmax(-1), dtype=np.int64)
        return np.array([self._sample(*row) for row in zip(logits, sequences, positions, strict=True)], dtype=np.int64)

    def _sample(self, logits: NDArray[np.float32], sequence: int, position: int) -> int:
        scaled = logits.astype(np.float64) / self.temperature
        probabilities = np.exp(scaled - scaled.max())
        probabilities /= probabilities.sum()
        order = np.argsort(-probabilities, kind="stable")
        if self.top_p < 1:
            order = order[: int(np.searchsorted(np.cumsum(probabilities[order]), self.top_p)) + 1]
        # what Generator.choice does, without its checks, which take most of its time
        mass = np.cumsum(probabilities[order] / probabilities[order].sum())
        drawn = np.random.default_rng((self.seed, sequence, position)).random()
        return int(order[np.searchsorted(mass / mass[-1], drawn, side="right")])


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log probabilities over the last axis."""
    shifted = logits - logits.max(-1, keepdims=True)
    result: NDArray[np.float32] = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return result


def judge(logits: NDArray[np.float32], tokens: Sequence[int]) -> tuple[list[float], list[float]]:
    """The log probability of each token (B,) at temperature 1, and what it has more than the best other one.

    logits: (B, vocab_size).
    """
    rows = np.arange(len(tokens))
    own, highest = logits[rows, tokens], logits.max(-1)
    totals = np.exp(logits - highest[:, None]).sum(-1)
    others = logits.copy()
    others[rows, tokens] = -np.inf
    return (own - highest - np.log(totals)).tolist(), (own - others.max(-1)).tolist()
