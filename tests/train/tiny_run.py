"""A model, a tokenizer and documents so small that a run takes seconds."""

import numpy as np

from foretrace.data.kinds import Kind
from foretrace.data.shards import Document
from foretrace.data.tokenizer import Tokenizer
from foretrace.model.config import ModelConfig

TOKENIZER = Tokenizer.train([], vocab_size=700)
MODEL = ModelConfig(
    vocab_size=TOKENIZER.vocab_size,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=16,
    max_position_embeddings=64,
    sliding_window=8,
)


def document(token: int, length: int) -> Document:
    """Repeats a token: easy to learn."""
    kinds = np.full(length, Kind.TEXT, np.uint8)
    kinds[:2] = Kind.PROMPT
    kinds[length // 2 :] = Kind.VALUE
    return Document(np.full(length, token, np.uint16), kinds)
