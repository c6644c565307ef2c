"""The transformer's forward pass in NumPy, and the form of weights it shares with the C kernel.

This is the specification of `kernel.py` and its fallback where nothing could be compiled. Both offer `Forward`.
N tokens of all sequences together, T of one, D hidden_size, H query heads, K key heads, C head_dim, S cached positions.

    cache = forward.new_cache()
    logits = forward.logits(forward.advance([ids], [cache]))      # (T, vocab_size)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from foretrace.model.checkpoint import Weights
from foretrace.model.config import SLIDING, ModelConfig
from foretrace.model.rope import rotary_tables

Array = NDArray[np.float32]
Ids = NDArray[np.int64]


class Cache:
    """Keys and values of one sequence; room for positions is made as they come.

    To take tokens back, lower `length`: every position is kept as it was computed, so layers with a window, too, find what
    they saw before.
    """

    def __init__(self, keys: Array, values: Array) -> None:
        """Both have positions on axis 2: `values` one in each entry, `keys` one or more."""
        self.keys, self.values = keys, values
        self.length = 0
        """Positions filled."""

    @property
    def capacity(self) -> int:
        """Positions there is room for."""
        return int(self.values.shape[2])

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return self.keys.nbytes + self.values.nbytes

    def reserve(self, positions: int) -> None:
        """Makes room for at least `positions`, at least doubling what there is."""
        if positions > self.capacity:
            self._resize(max(positions, 2 * self.capacity))

    def copy(self, length: int) -> "Cache":
        """Another one with the first `length` positions."""
        other = Cache(self.keys, self.values)
        other.length = length
        other._resize(max(length, 1))
        return other

    def _resize(self, positions: int) -> None:
        """New arrays for at least `positions`, with what is filled."""
        block = self.capacity // self.keys.shape[2]
        blocks, filled = -(-positions // block), -(-self.length // block)
        self.keys = _resized(self.keys, blocks, filled)
        self.values = _resized(self.values, blocks * block, filled * block)


def _resized(array: Array, count: int, kept: int) -> Array:
    """`count` entries on axis 2, the first `kept` of them from `array`, the others zero."""
    new = np.zeros((*array.shape[:2], count, *array.shape[3:]), dtype=np.float32)
    new[:, :, :kept] = array[:, :, :kept]
    return new


class Forward(Protocol):
    """A way to compute the model."""

    exact: bool
    """Whether a token's result has the same bits whatever is computed together with it, and after any pieces."""
    threads_itself: bool
    """Whether one call already uses all cores; else callers may run several at once."""

    def new_cache(self) -> Cache:
        """An empty one."""

    def advance(self, tokens: Sequence[Sequence[int]], caches: Sequence[Cache]) -> Array:
        """Feeds each sequence further tokens, at least one: their hidden states (N, D), one sequence after the other.

        Raises:
            IndexError: a token is not in the vocabulary, or there are more than the context holds.

        """

    def logits(self, hidden: Array) -> Array:
        """hidden: (N, D) -> (N, vocab_size)."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer's matrices (out, in), fused where inputs are shared."""

    qkv: Array
    output: Array
    gate_up: Array
    down: Array
    attention_norm: Array
    mlp_norm: Array
    window: int | None


def fused_layers(config: ModelConfig, weights: Weights) -> list[Layer]:
    """The layers of a model under Hugging Face's names."""
    return [_fused(config, weights, number) for number in range(config.num_hidden_layers)]


def output_matrix(weights: Weights) -> Array:
    """(vocab_size, D)."""
    return weights.get("lm_head.weight", weights["model.embed_tokens.weight"])


def rope_tables(config: ModelConfig) -> tuple[Array, Array]:
    """Cosines and sines of every position: two (positions, C / 2)."""
    return rotary_tables(config, np.arange(config.max_position_embeddings))


def check_range(config: ModelConfig, tokens: Ids, caches: Sequence[Cache], counts: Sequence[int]) -> None:
    """Raises an IndexError for what `Forward.advance` cannot take."""
    if tokens.min() < 0 or tokens.max() >= config.vocab_size:
        raise IndexError(f"a token is out of range: 0 to {config.vocab_size - 1}")
    if any(cache.length + count > config.max_position_embeddings for cache, count in zip(caches, counts, strict=True)):
        raise IndexError(f"more tokens than the context holds: {config.max_position_embeddings}")


def _fused(config: ModelConfig, weights: Weights, number: int) -> Layer:
    def get(name: str) -> Array:
        return weights[f"model.layers.{number}.{name}.weight"]

    return Layer(
        qkv=np.concatenate([get("self_attn.q_proj"), get("self_attn.k_proj"), get("self_attn.v_proj")]),
        output=get("self_attn.o_proj"),
        gate_up=np.concatenate([get("mlp.gate_proj"), get("mlp.up_proj")]),
        down=get("mlp.down_proj"),
        attention_norm=get("input_layernorm"),
        mlp_norm=get("post_attention_layernorm"),
        window=config.sliding_window if config.layer_types[number] == SLIDING else None,
    )


class NumpyForward:
    """The forward pass as products of NumPy arrays. Their libraries sum in an order that depends on shapes: not `exact`."""

    exact = False
    threads_itself = True

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self.config = config
        self._embedding = weights["model.embed_tokens.weight"]
        self._head = _folded(output_matrix(weights), weights["model.norm.weight"])
        self._layers = [self._prepared(layer) for layer in fused_layers(config, weights)]
        self._rope = rope_tables(config)

    def _prepared(self, layer: Layer) -> Layer:
        """Matrices (in, out), as products from the right want them, with the norms and the scale of queries folded in."""
        qkv = _folded(layer.qkv, layer.attention_norm)
        qkv[:, : self.config.num_attention_heads * self.config.head_dim] *= np.float32(self.config.head_dim**-0.5)
        output, down = np.ascontiguousarray(layer.output.T), np.ascontiguousarray(layer.down.T)
        gate_up = _folded(layer.gate_up, layer.mlp_norm)
        return Layer(qkv, output, gate_up, down, layer.attention_norm, layer.mlp_norm, layer.window)

    def new_cache(self) -> Cache:
        """Keys and values: (layers, K, S, C)."""
        config = self.config
        keys = np.zeros((config.num_hidden_layers, config.num_key_value_heads, 256, config.head_dim), np.float32)
        return Cache(keys, np.zeros_like(keys))

    def advance(self, tokens: Sequence[Sequence[int]], caches: Sequence[Cache]) -> Array:
        """Feeds each sequence further tokens: their hidden states (N, D)."""
        config, counts = self.config, [len(piece) for piece in tokens]
        ids = np.fromiter(chain.from_iterable(tokens), dtype=np.int64)
        check_range(config, ids, caches, counts)
        positions = [np.arange(cache.length, cache.length + count) for cache, count in zip(caches, counts, strict=True)]
        cos, sin = (table[np.concatenate(positions)][:, None, :] for table in self._rope)
        heads, kv = config.num_attention_heads, config.num_key_value_heads
        for cache, count in zip(caches, counts, strict=True):
            cache.reserve(cache.length + count)
        x = self._embedding[ids]
        for number, layer in enumerate(self._layers):
            qkv = (_normalise(x, config.rms_norm_eps) @ layer.qkv).reshape(len(ids), heads + 2 * kv, -1)
            qkv[:, : heads + kv] = _rotate(qkv[:, : heads + kv], cos, sin)
            pieces = zip(np.split(qkv, np.cumsum(counts)[:-1]), caches, positions, strict=True)
            attended = [_attend(piece, cache, number, at, layer.window) for piece, cache, at in pieces]
            x = x + np.concatenate(attended) @ layer.output
            gate, up = np.split(_normalise(x, config.rms_norm_eps) @ layer.gate_up, 2, axis=-1)
            x = x + (_silu(gate) * up) @ layer.down
        for cache, count in zip(caches, counts, strict=True):
            cache.length += count
        return x

    def logits(self, hidden: Array) -> Array:
        """hidden: (N, D) -> (N, vocab_size)."""
        logits: Array = _normalise(hidden, self.config.rms_norm_eps) @ self._head
        return logits


def _folded(matrix: Array, norm: Array) -> Array:
    """(out, in) -> (in, out), the norm's weight (in,) in it."""
    return np.ascontiguousarray((matrix * norm).T)


def _normalise(x: Array, eps: float) -> Array:
    """RMSNorm without its weight, which is folded into the matrix that follows."""
    mean = np.einsum("...d,...d->...", x, x)[..., None] / x.shape[-1]
    return np.asarray(x / np.sqrt(mean + eps), dtype=np.float32)


def _silu(x: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(x / (1 + np.exp(-x)), dtype=np.float32)


def _rotate(x: Array, cos: Array, sin: Array) -> Array:
    """Rotary position embedding (arXiv:2104.09864), halves instead of pairs. x: (..., C); cos, sin: (..., C / 2)."""
    half = x.shape[-1] // 2
    low, high = x[..., :half], x[..., half:]
    return np.concatenate([low * cos - high * sin, high * cos + low * sin], axis=-1)


def _attend(qkv: Array, cache: Cache, layer: int, positions: Ids, window: int | None) -> Array:
    """Remembers the keys and values of T tokens of one sequence, and lets them attend: qkv (T, H + 2K, C) -> (T, H * C)."""
    keys, values = cache.keys[layer], cache.values[layer]  # (K, S, C)
    kv, _, size = keys.shape
    count, heads = len(qkv), qkv.shape[1] - 2 * kv
    keys[:, positions] = qkv[:, heads : heads + kv].transpose(1, 0, 2)
    values[:, positions] = qkv[:, heads + kv :].transpose(1, 0, 2)
    first, last = max(0, int(positions[0]) - window + 1) if window else 0, int(positions[-1]) + 1
    grouped = qkv[:, :heads].reshape(count, kv, -1, size).transpose(1, 2, 0, 3).reshape(kv, -1, size)
    scores = (grouped @ keys[:, first:last].transpose(0, 2, 1)).reshape(kv, -1, count, last - first)
    if count > 1:
        at = np.arange(first, last)
        hidden = at > positions[:, None]
        if window:
            hidden |= at <= positions[:, None] - window
        scores = np.where(hidden, np.float32(-np.inf), scores)
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    scores /= scores.sum(-1, keepdims=True)
    mixed = scores.reshape(kv, -1, last - first) @ values[:, first:last]
    return np.ascontiguousarray(mixed.reshape(kv, -1, count, size).transpose(2, 0, 1, 3)).reshape(count, -1)
