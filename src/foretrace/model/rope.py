"""Rotary position embedding (arXiv:2104.09864): how fast each pair of dimensions turns. NumPy only.

The pairs are dimensions i and i + C/2 of a head ("half-split", as in Hugging Face). All in float32 and in Hugging Face's
order of operations: at position 100,000 a last bit of difference in a frequency is a hundredth of a radian.

    inverse_frequencies(config)                      # (C / 2,) radians a position
    cosines, sines = rotary_tables(config, np.arange(4096))
"""

import numpy as np
from numpy.typing import NDArray

from foretrace.model.config import ModelConfig, RopeScaling

Array = NDArray[np.float32]


def inverse_frequencies(config: ModelConfig) -> Array:
    """(C / 2,) float32: radians a position of each pair, plain or with `config.rope_scaling` applied."""
    exponents = np.arange(0, config.head_dim, 2, dtype=np.float32) / np.float32(config.head_dim)
    powers = np.power(np.float64(config.rope_theta), exponents.astype(np.float64)).astype(np.float32)
    frequencies: Array = np.float32(1) / powers
    return frequencies if config.rope_scaling is None else _scaled(frequencies, config.rope_scaling)


def rotary_tables(config: ModelConfig, positions: NDArray[np.int64]) -> tuple[Array, Array]:
    """Cosines and sines at positions (N,): two (N, C / 2) float32."""
    angles = positions.astype(np.float32)[:, None] * inverse_frequencies(config)
    exact = angles.astype(np.float64)
    return np.cos(exact).astype(np.float32), np.sin(exact).astype(np.float32)


def _scaled(frequencies: Array, scaling: RopeScaling) -> Array:
    """Slow pairs `factor` times slower, fast ones as they are, those between interpolated: see `RopeScaling`."""
    factor, low, high = (np.float32(x) for x in (scaling.factor, scaling.low_freq_factor, scaling.high_freq_factor))
    original = np.float32(scaling.original_max_position_embeddings)
    wavelengths = (np.float32(1) / frequencies) * np.float32(2 * np.pi)
    slower = frequencies / factor
    share = ((np.float32(1) / wavelengths) * original - low) / (high - low)
    between = (np.float32(1) - share) * frequencies / factor + share * frequencies
    scaled = np.where(wavelengths > original / low, slower, np.where(wavelengths < original / high, frequencies, between))
    return np.asarray(scaled, dtype=np.float32)
