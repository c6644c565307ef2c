"""Rotary position embedding: what each scaled pair does, and the tables of the engine."""

from dataclasses import replace

import numpy as np
import pytest

from foretrace.engine.forward import rope_tables
from foretrace.model.presets import CWM_32B, TINY
from foretrace.model.rope import inverse_frequencies, rotary_tables


def test_plain_frequencies() -> None:
    expected = 10_000.0 ** -(np.arange(32) / 32)
    assert inverse_frequencies(TINY).dtype == np.float32
    np.testing.assert_allclose(inverse_frequencies(TINY), expected, rtol=2e-7)


def test_scaling_leaves_fast_pairs_and_slows_slow_ones() -> None:
    """The published model: wavelengths below 2,048 stay, those above 8,192 become 16 times longer."""
    plain = inverse_frequencies(replace(CWM_32B, rope_scaling=None))
    slower = plain / inverse_frequencies(CWM_32B)
    wavelengths = 2 * np.pi / plain
    assert np.all(slower[wavelengths < 2048] == 1)
    assert np.all(slower[wavelengths > 8192] == 16)
    between = slower[(wavelengths >= 2048) & (wavelengths <= 8192)]
    assert len(between) > 3
    assert np.all(np.diff(between) > 0)
    assert np.all((between > 1) & (between < 16))


def test_interpolation_between() -> None:
    """One by hand: at a wavelength of 4,096 the share that stays is (8192 / 4096 - 1) / (4 - 1) = 1/3."""
    theta = (4096 / (2 * np.pi)) ** 2  # makes the second of two pairs that one
    config = replace(CWM_32B, head_dim=4, rope_theta=float(theta))
    frequency = 2 * np.pi / 4096
    assert inverse_frequencies(config)[1] == pytest.approx(frequency * (2 / 3 / 16 + 1 / 3), rel=1e-6)


@pytest.mark.parametrize("config", [TINY, replace(CWM_32B, max_position_embeddings=20_000)])
def test_tables_of_all_positions(config) -> None:  # type: ignore[no-untyped-def]
    cosines, sines = rope_tables(config)
    assert cosines.shape == sines.shape == (config.max_position_embeddings, config.head_dim // 2)
    np.testing.assert_allclose(cosines**2 + sines**2, 1, rtol=1e-6)
    some = np.array([0, 1, 3000])
    assert all(
        np.array_equal(table[some], part) for table, part in zip((cosines, sines), rotary_tables(config, some), strict=True)
    )
    angles = some[:, None] * inverse_frequencies(config).astype(np.float64)
    np.testing.assert_allclose(cosines[some], np.cos(angles), atol=3e-4)
    np.testing.assert_allclose(sines[some], np.sin(angles), atol=3e-4)
