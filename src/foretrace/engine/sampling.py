"""Choosing tokens from logits, reproducibly whatever the batch."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_GREEDY_BELOW = 1e-4
"""A temperature at which no second choice has a chance, and logits divided by it are still numbers."""


class Sampler:
    """Greedy at temperature 0, else nucleus sampling (arXiv:1904.09751), seeded per sequence and position."""

    def __init__(self, temperature: float, top_p: float, seed: int) -> None:
        self.temperature, self.top_p, self.seed = temperature, top_p, seed

    def choose(self, logits: NDArray[np.float32], sequences: Sequence[int], positions: Sequence[int]) -> NDArray[np.int64]:
        """The next token (B,) of each sequence, of which `positions` tokens exist. logits: (B, vocab_size)."""
        if self.temperature < _GREEDY_BELOW:
            return np.asarray(logits.argmax(-1), dtype=np.int64)
        return np.array([self._sample(*row) for row in zip(logits, sequences, positions, strict=True)], dtype=np.int64)

    def _sample(self, logits: NDArray[np.float32], sequence: int, position: int) -> int:
        scaled = logits.astype(np.float64) / self.temperature
        probabilities = np.exp(scaled - scaled.max())
        probabilities /= probabilities.sum()
        order = np.argsort(-probabilities, kind="stable")
        mass = np.cumsum(probabilities[order])
        kept = order[: int(np.searchsorted(mass, self.top_p)) + 1] if self.top_p < 1 else order
        chances = probabilities[kept] / probabilities[kept].sum()
        rng = np.random.default_rng((self.seed, sequence, position))
        return int(rng.choice(kept, p=chances))
