"""Shapes of models by name: `tiny` is the one in the package, `cwm_32b` the one that Meta published.

config = preset("cwm_32b")
"""

from foretrace.errors import UsageError
from foretrace.model.config import ModelConfig, RopeScaling

TINY = ModelConfig(
    vocab_size=1024,
    hidden_size=256,
    intermediate_size=704,
    num_hidden_layers=8,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=64,
    max_position_embeddings=4096,
    sliding_window=512,
)
"""6.4 million parameters: a laptop trains it in hours, and predicts with it in real time."""

SMALL = ModelConfig(
    vocab_size=2048,
    hidden_size=512,
    intermediate_size=1408,
    num_hidden_layers=10,
    num_attention_heads=8,
    num_key_value_heads=2,
    head_dim=64,
    max_position_embeddings=8192,
    sliding_window=1024,
)
"""30 million parameters: for one GPU."""

CWM_32B = ModelConfig(
    vocab_size=128_256,
    hidden_size=6144,
    intermediate_size=21_504,
    num_hidden_layers=64,
    num_attention_heads=48,
    num_key_value_heads=8,
    head_dim=128,
    max_position_embeddings=131_072,
    sliding_window=8192,
    rope_theta=1_000_000.0,
    rope_scaling=RopeScaling(factor=16.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192),
    rms_norm_eps=1e-5,
    bos_token_id=128_000,
    eos_token_id=(128_001, 128_008, 128_009),
)
"""32.6 billion parameters, as published: CWM report (arXiv:2510.02387), table 2, and `CwmConfig` of `transformers`."""

PRESETS = {"tiny": TINY, "small": SMALL, "cwm_32b": CWM_32B}


def preset(name: str) -> ModelConfig:
    """The shape called `name`.

    Raises:
        UsageError: there is none.

    """
    found = PRESETS.get(name.replace("-", "_"))
    if found is None:
        raise UsageError(f"no model shape called {name!r}; known: {', '.join(PRESETS)}")
    return found
