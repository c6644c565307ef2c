"""Random models of any shape, for the tests of the embedded engine."""

from pathlib import Path

import numpy as np

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.forward import Forward, NumpyForward
from foretrace.engine.kernel import KernelForward, library
from foretrace.model.checkpoint import Checkpoint, expected_shapes, load_checkpoint, save_checkpoint
from foretrace.model.config import ModelConfig

TOKENIZER = Tokenizer.train([], vocab_size=700)
CONFIG = ModelConfig(
    vocab_size=TOKENIZER.vocab_size,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=5,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=32,
    max_position_embeddings=128,
    sliding_window=6,
)


def random_checkpoint(
    folder: Path, config: ModelConfig = CONFIG, seed: int = 0, dtype: str = "float16", tokenizer: Tokenizer = TOKENIZER
) -> Checkpoint:
    """A checkpoint of normally distributed weights."""
    rng = np.random.default_rng(seed)
    weights = {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in expected_shapes(config).items()}
    save_checkpoint(folder, config, weights, tokenizer, dtype=dtype)
    return load_checkpoint(folder)


def forward_of(name: str, checkpoint: Checkpoint) -> Forward | None:
    """`numpy`, `kernel`, or `plain`: the kernel, but of an engine that neither drafts nor keeps anything; None: not here."""
    kernel = library()
    if name == "numpy":
        return NumpyForward(checkpoint.config, checkpoint.weights)
    if kernel is None:
        return None
    forward = KernelForward(kernel, checkpoint.config, checkpoint.weights)
    if name == "plain":
        forward.exact = False
    return forward


def sequence(length: int, seed: int = 1, vocab_size: int = CONFIG.vocab_size) -> list[int]:
    """Random tokens."""
    return np.random.default_rng(seed).integers(0, vocab_size, length).tolist()
