"""Choosing tokens from logits, reproducibly whatever the batch, and saying how likely they were.

[token] = Sampler(temperature=0.8, top_p=0.95, seed=1).choose(logits, sequences=[0], positions=[17])
[logprob], [margin] = judge(logits, [token])
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_GREEDY_BELOW = 1e-4
"""A temperature at which no second choice has a chance, and logits divided by it are still numbers."""
_RARE = 1e-3
"""Probability of tokens that are sorted only if they are needed."""
_ROUNDING = 1e-9
"""More than sums of probabilities are off by."""


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
        drawn = np.random.default_rng((self.seed, sequence, position)).random()
        order = _likeliest(probabilities, drawn if self.top_p >= 1 else self.top_p)
        mass = np.cumsum(probabilities[order])
        if self.top_p < 1:
            mass = mass[: int(np.searchsorted(mass, self.top_p)) + 1]
            mass /= mass[-1]
        chosen = int(np.searchsorted(mass, drawn, side="right"))
        return int(order[min(chosen, len(mass) - 1)])


def _likeliest(probabilities: NDArray[np.float64], mass: float) -> NDArray[np.int64]:
    """Tokens, likeliest first, that have more than this mass: few of them are sorted, if few have it."""
    tokens = np.flatnonzero(probabilities > _RARE)
    if probabilities[tokens].sum() <= mass + _ROUNDING:
        tokens = np.arange(len(probabilities))
    return tokens[np.argsort(-probabilities[tokens], kind="stable")]


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
