"""CWM's scaling laws, at the point that the report itself gives."""

import pytest

from foretrace.model.presets import preset
from foretrace.train.scaling import advise, learning_rate, tokens_per_batch


def test_the_laws_at_cwm() -> None:
    """32B, 8 T tokens: about 1.64e24 FLOPs and 39 tokens a FLOP, and near the 8e-4 and 8.4 M that were used."""
    advice = advise(preset("cwm_32b"), tokens=8e12, context=8192)
    assert advice.flops == pytest.approx(1.64e24, rel=0.01)
    assert advice.tokens_per_flop_per_token == pytest.approx(39, rel=0.02)
    assert advice.learning_rate == pytest.approx(1.0e-3, rel=0.05)
    assert advice.tokens_per_batch == pytest.approx(11.8e6, rel=0.05)


def test_more_compute_wants_a_lower_rate_and_larger_batches() -> None:
    assert learning_rate(1e20) < learning_rate(1e18)
    assert tokens_per_batch(1e20) > tokens_per_batch(1e18)
