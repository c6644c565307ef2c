"""The models of the training benchmark: CWM's proportions, small.

Every contender is built from the same `ModelConfig`. 8/3 of the width, or near it, makes the gated MLP as large as the four widths of
models without a gate.
"""

from foretrace.model.config import ModelConfig

VOCABULARY = 1024
"""Ids of the tokenizer that is in the package."""


def _shape(hidden: int, intermediate: int, layers: int, heads: int, kv_heads: int, head_dim: int) -> ModelConfig:
    return ModelConfig(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=head_dim,
        max_position_embeddings=4096,
        sliding_window=512,
    )


SHAPES = {
    "1M": _shape(128, 352, layers=4, heads=4, kv_heads=2, head_dim=32),
    "10M": _shape(384, 1024, layers=6, heads=6, kv_heads=2, head_dim=64),
    "30M": _shape(512, 1408, layers=10, heads=8, kv_heads=2, head_dim=64),
    "100M": _shape(768, 2048, layers=16, heads=12, kv_heads=4, head_dim=64),
    "350M": _shape(1536, 4096, layers=14, heads=12, kv_heads=4, head_dim=128),
}
"""The last two are for GPUs."""
