"""What a model costs: parameters, operations a token, and memory to train and to serve. Arithmetic only.

    info = describe(preset("cwm_32b"), context=131_072, gpus=64)
    info.parameters, info.train_flops_per_token, info.kv_bytes, info.training.per_gpu

Operations are those of matrix products, a multiplication and an addition each: 2 for each weight of a product and token (the
embedding is looked up, the output head is multiplied), and 4 C for each query head and pair of tokens of which one sees the
other. Training takes three times as many, forward and backward; what is computed again to save memory does not count. So
without attention it is the usual 6 N a token (Kaplan et al., arXiv:2001.08361, section 2.1), with N without the embedding.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import numpy as np

from foretrace.model.config import SLIDING, ModelConfig
from foretrace.model.shapes import EMBEDDING, HEAD, expected_shapes

_HALF, _SINGLE = 2, 4  # bytes of a bfloat16 and of a float32


# ---------------------------------------------------------------------------------------------------
# Parameters


def parameters(config: ModelConfig) -> int:
    """All weights; tied embeddings count once."""
    return sum(prod(shape) for shape in expected_shapes(config).values())


def non_embedding_parameters(config: ModelConfig) -> int:
    """All weights but the embedding and the output head."""
    return sum(prod(shape) for name, shape in expected_shapes(config).items() if name not in (EMBEDDING, HEAD))


def matmul_parameters(config: ModelConfig) -> int:
    """Weights that each token is multiplied with: the layers' matrices and the output head."""
    matrices = (shape for name, shape in expected_shapes(config).items() if name not in (EMBEDDING, HEAD) and len(shape) > 1)
    return sum(map(prod, matrices)) + config.vocab_size * config.hidden_size


# ---------------------------------------------------------------------------------------------------
# Operations


def forward_flops(config: ModelConfig, lengths: Sequence[int]) -> float:
    """Operations of a forward pass over documents of these lengths, each attending to itself only."""
    tokens = np.asarray(lengths, dtype=np.int64)
    sliding = config.layer_types.count(SLIDING)
    pairs = sliding * _visible_pairs(tokens, config.sliding_window)
    pairs += (config.num_hidden_layers - sliding) * _visible_pairs(tokens, None)
    attention = 4.0 * config.num_attention_heads * config.head_dim * pairs
    return 2.0 * matmul_parameters(config) * float(tokens.sum()) + attention


def train_flops(config: ModelConfig, lengths: Sequence[int]) -> float:
    """Operations of a forward and a backward pass over documents of these lengths."""
    return 3.0 * forward_flops(config, lengths)


def train_flops_per_token(config: ModelConfig, lengths: Sequence[int]) -> float:
    """The same, an average over the tokens of the documents."""
    return train_flops(config, lengths) / sum(lengths)


def _visible_pairs(lengths: np.ndarray[Any, np.dtype[np.int64]], window: int | None) -> float:
    """Pairs of a query and a key that it sees, over all documents: token i of a document sees min(i + 1, window) keys."""
    first = lengths if window is None else np.minimum(lengths, window)
    return float((first * (first + 1) // 2 + (lengths - first) * first).sum())


# ---------------------------------------------------------------------------------------------------
# Memory


def kv_bytes(config: ModelConfig, length: int) -> int:
    """Bytes of the keys and values of a sequence, in bfloat16; a sliding layer keeps no more than its window."""
    sliding = config.layer_types.count(SLIDING)
    kept = sliding * min(length, config.sliding_window) + (config.num_hidden_layers - sliding) * length
    return kept * _kv_bytes_of_layer(config)


def _kv_bytes_of_layer(config: ModelConfig) -> int:
    """Bytes of one token's key and value on one layer."""
    return 2 * config.num_key_value_heads * config.head_dim * _HALF


def activation_bytes(config: ModelConfig, *, recompute: bool) -> int:
    """Bytes a token that the forward pass keeps for the backward pass, in bfloat16.

    Counted tensor by tensor as in Korthikanti et al. (arXiv:2205.05198), section 4.1, for these layers and an attention that
    keeps no scores (arXiv:2205.14135): the inputs of both norms and what they give (4 D), queries and what attention gives
    (2 H C), keys and values (2 K C), and in the MLP the gate, its SiLU, the other branch and their product (4 F). With
    `recompute` each layer keeps its input only, and one layer at a time has all of it. The loss is computed in
    chunks, and its logits are not counted.
    """
    queries, keys = (n * config.head_dim for n in (config.num_attention_heads, config.num_key_value_heads))
    layer = _HALF * (4 * config.hidden_size + 2 * queries + 2 * keys + 4 * config.intermediate_size)
    if recompute:
        return config.num_hidden_layers * _HALF * config.hidden_size + layer
    return config.num_hidden_layers * layer


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingMemory:
    """Bytes on each of some GPUs that share weights, gradients and optimiser state evenly (arXiv:1910.02054, stage 3)."""

    weights: int
    """bfloat16: what is multiplied."""
    gradients: int
    """bfloat16."""
    master: int
    """float32: what AdamW updates."""
    moments: int
    """float32: both of AdamW's."""
    gathered: int
    """bfloat16: the whole weights of the layer that is computed and of the next, if weights are shared out."""
    activations: int
    """Of one row of tokens on each GPU."""

    @property
    def per_gpu(self) -> int:
        """All of it. What a framework reserves and the loss's chunks come on top."""
        return self.weights + self.gradients + self.master + self.moments + self.gathered + self.activations


def training_memory(config: ModelConfig, *, tokens: int, gpus: int = 1, recompute: bool = True) -> TrainingMemory:
    """Bytes on each GPU to train in mixed precision with AdamW: 16 a parameter over all GPUs, and activations.

    Args:
        tokens: in the row that each GPU computes at a time.
        gpus: over which weights, gradients and optimiser state are sharded.
        recompute: whether activations are computed again for the backward pass.

    """
    count = -(-parameters(config) // gpus)
    layer = non_embedding_parameters(config) // config.num_hidden_layers
    return TrainingMemory(
        weights=_HALF * count,
        gradients=_HALF * count,
        master=_SINGLE * count,
        moments=2 * _SINGLE * count,
        gathered=0 if gpus == 1 else 2 * _HALF * layer,
        activations=tokens * activation_bytes(config, recompute=recompute),
    )


# ---------------------------------------------------------------------------------------------------
# All of it


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What a model costs at a length of context, on a number of GPUs."""

    context: int
    gpus: int
    parameters: int
    non_embedding_parameters: int
    forward_flops_per_token: float
    train_flops_per_token: float
    attention_share: float
    """Of the operations."""
    kv_bytes_per_token: int
    """On all layers, until the window is full."""
    kv_bytes_per_further_token: int
    """On the global layers only: beyond the window."""
    kv_bytes: dict[int, int]
    """Of one sequence, by its length."""
    training: TrainingMemory
    """With activations computed again."""
    activations_kept: int
    """Bytes of activations on each GPU where they are kept."""
    serving_weights: int
    """Bytes on each GPU, in bfloat16 and sharded over all."""
    serving_sequence: int
    """Bytes on each GPU of the keys and values of one sequence of `context` tokens; no finer than a head on each."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self) | {"training": asdict(self.training) | {"per_gpu": self.training.per_gpu}}


def describe(config: ModelConfig, context: int, gpus: int = 1) -> ModelInfo:
    """Costs at rows, and sequences, of `context` tokens that are each one document."""
    forward = forward_flops(config, [context]) / context
    layers, sliding = config.num_hidden_layers, config.layer_types.count(SLIDING)
    lengths = sorted({n for n in (8192, 32_768, 131_072) if n <= config.max_position_embeddings} | {context})
    return ModelInfo(
        context=context,
        gpus=gpus,
        parameters=parameters(config),
        non_embedding_parameters=non_embedding_parameters(config),
        forward_flops_per_token=forward,
        train_flops_per_token=3.0 * forward,
        attention_share=1.0 - 2.0 * matmul_parameters(config) / forward,
        kv_bytes_per_token=layers * _kv_bytes_of_layer(config),
        kv_bytes_per_further_token=(layers - sliding) * _kv_bytes_of_layer(config),
        kv_bytes={length: kv_bytes(config, length) for length in lengths},
        training=training_memory(config, tokens=context, gpus=gpus),
        activations_kept=context * activation_bytes(config, recompute=False),
        serving_weights=-(-_HALF * parameters(config) // gpus),
        serving_sequence=kv_bytes(config, context) // min(gpus, config.num_key_value_heads),
    )
