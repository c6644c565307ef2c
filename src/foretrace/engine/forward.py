"""The transformer's forward pass in NumPy, and the form of weights it shares with the C kernel.

This is the specification of `kernel.py` and its fallback where nothing could be compiled. Both offer `Forward`.
B sequences, T new tokens, D hidden_size, H query heads, K key heads, C head_dim, S cached positions.

    cache = forward.new_cache(slots=1)
    logits = forward.logits(forward.advance(ids, cache, slots=np.array([0])))
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from foretrace.model.checkpoint import Weights
from foretrace.model.config import SLIDING, ModelConfig
from foretrace.model.rope import rotary_tables

Array = NDArray[np.float32]
Ids = NDArray[np.int64]


class Cache:
    """Keys and values of as many sequences as there are slots; room for positions is made as they come."""

    def __init__(self, keys: Array, values: Array, position_axis: int, positions_per_entry: int = 1) -> None:
        """`keys` has `positions_per_entry` positions in each entry of its `position_axis`, `values` has one."""
        self.keys, self.values = keys, values
        self.lengths = np.zeros(keys.shape[1], dtype=np.int64)
        """Positions filled in each slot."""
        self._axis, self._block = position_axis, positions_per_entry

    @property
    def capacity(self) -> int:
        """Positions there is room for in each slot."""
        return int(self.values.shape[self._axis])

    def reserve(self, positions: int) -> None:
        """Makes room for at least `positions`, at least doubling what there is."""
        if positions > self.capacity:
            blocks = -(-max(positions, 2 * self.capacity) // self._block)
            self.keys = self._widened(self.keys, blocks)
            self.values = self._widened(self.values, blocks * self._block)

    def _widened(self, array: Array, count: int) -> Array:
        shape = list(array.shape)
        shape[self._axis] = count
        wide = np.zeros(shape, dtype=np.float32)
        wide[tuple(slice(n) for n in array.shape)] = array
        return wide


class Forward(Protocol):
    """A way to compute the model."""

    threads_itself: bool
    """Whether one call already uses all cores; else callers may run several at once."""

    def new_cache(self, slots: int) -> Cache:
        """Room for `slots` sequences."""

    def advance(self, ids: Ids, cache: Cache, slots: Ids) -> Array:
        """Feeds T further tokens to each of B sequences: ids (B, T), slots (B,) -> hidden (B, T, D)."""

    def logits(self, hidden: Array) -> Array:
        """hidden: (N, D) -> (N, vocab_size)."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer's matrices (out, in), fused where inputs are shared; norms and the attention scale folded in."""

    qkv: Array
    output: Array
    gate_up: Array
    down: Array
    window: int | None

    def transposed(self) -> "Layer":
        """The same with matrices (in, out), as products from the right want them."""
        qkv, output, gate_up, down = (np.ascontiguousarray(w.T) for w in (self.qkv, self.output, self.gate_up, self.down))
        return Layer(qkv, output, gate_up, down, self.window)


def fused_layers(config: ModelConfig, weights: Weights) -> list[Layer]:
    """The layers of a model under Hugging Face's names."""
    return [_fused(config, weights, number) for number in range(config.num_hidden_layers)]


def fused_head(weights: Weights) -> Array:
    """The output matrix (vocab_size, D), last norm folded in."""
    head = weights.get("lm_head.weight", weights["model.embed_tokens.weight"])
    return np.asarray(head * weights["model.norm.weight"], dtype=np.float32)


def rope_tables(config: ModelConfig) -> tuple[Array, Array]:
    """Cosines and sines of every position: two (positions, C / 2)."""
    return rotary_tables(config, np.arange(config.max_position_embeddings))


def _fused(config: ModelConfig, weights: Weights, number: int) -> Layer:
    def get(name: str) -> Array:
        return weights[f"model.layers.{number}.{name}.weight"]

    queries = get("self_attn.q_proj") * np.float32(config.head_dim**-0.5)
    qkv = np.concatenate([queries, get("self_attn.k_proj"), get("self_attn.v_proj")])
    gate_up = np.concatenate([get("mlp.gate_proj"), get("mlp.up_proj")])
    return Layer(
        qkv=qkv * get("input_layernorm"),
        output=get("self_attn.o_proj"),
        gate_up=gate_up * get("post_attention_layernorm"),
        down=get("mlp.down_proj"),
        window=config.sliding_window if config.layer_types[number] == SLIDING else None,
    )


class NumpyForward:
    """The forward pass as products of NumPy arrays."""

    threads_itself = True

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self.config = config
        self._embedding = weights["model.embed_tokens.weight"]
        self._head = np.ascontiguousarray(fused_head(weights).T)
        self._layers = [layer.transposed() for layer in fused_layers(config, weights)]
        self._rope = rope_tables(config)

    def new_cache(self, slots: int) -> Cache:
        """Keys and values: (layers, slots, K, S, C)."""
        config = self.config
        keys = np.zeros((config.num_hidden_layers, slots, config.num_key_value_heads, 256, config.head_dim), np.float32)
        return Cache(keys, np.zeros_like(keys), position_axis=3)

    def advance(self, ids: Ids, cache: Cache, slots: Ids) -> Array:
        """Feeds T further tokens to each of B sequences: ids (B, T), slots (B,) -> hidden (B, T, D)."""
        config = self.config
        batch, count = ids.shape
        start = cache.lengths[slots]
        positions = start[:, None] + np.arange(count)
        cache.reserve(int(positions.max()) + 1)
        rope = self._rope[0][positions][:, :, None, :], self._rope[1][positions][:, :, None, :]
        heads, kv = config.num_attention_heads, config.num_key_value_heads
        x = self._embedding[ids]
        for number, layer in enumerate(self._layers):
            qkv = (_normalise(x, config.rms_norm_eps) @ layer.qkv).reshape(batch, count, heads + 2 * kv, -1)
            rotated = _rotate(qkv[:, :, : heads + kv], *rope)
            keys, values = cache.keys[number], cache.values[number]
            for i, slot in enumerate(slots):
                keys[slot, :, start[i] : start[i] + count] = rotated[i, :, heads:].transpose(1, 0, 2)
                values[slot, :, start[i] : start[i] + count] = qkv[i, :, heads + kv :].transpose(1, 0, 2)
            attended = _attend(rotated[:, :, :heads], keys, values, slots, positions, layer.window)
            x = x + attended.reshape(batch, count, -1) @ layer.output
            gate, up = np.split(_normalise(x, config.rms_norm_eps) @ layer.gate_up, 2, axis=-1)
            x = x + (_silu(gate) * up) @ layer.down
        cache.lengths[slots] += count
        return x

    def logits(self, hidden: Array) -> Array:
        """hidden: (N, D) -> (N, vocab_size)."""
        logits: Array = _normalise(hidden, self.config.rms_norm_eps) @ self._head
        return logits


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


def _attend(q: Array, keys: Array, values: Array, slots: Ids, positions: Ids, window: int | None) -> Array:
    """q: (B, T, H, C), keys and values: (slots, K, S, C), positions: (B, T) of the queries -> (B, T, H, C)."""
    batch, count, heads, size = q.shape
    kv = keys.shape[1]
    last = int(positions.max()) + 1
    first = max(0, int(positions.min()) - window + 1) if window else 0
    known = keys[slots, :, first:last] if batch > 1 else keys[slots[0]][None, :, first:last]
    held = values[slots, :, first:last] if batch > 1 else values[slots[0]][None, :, first:last]
    grouped = q.reshape(batch, count, kv, heads // kv, size).transpose(0, 2, 3, 1, 4).reshape(batch, kv, -1, size)
    scores = (grouped @ known.transpose(0, 1, 3, 2)).reshape(batch, kv, heads // kv, count, -1)
    if batch > 1 or count > 1 or window:
        at = np.arange(first, last)
        hidden = at[None, None, :] > positions[:, :, None]
        if window:
            hidden |= at[None, None, :] <= positions[:, :, None] - window
        scores = np.where(hidden[:, None, None], np.float32(-np.inf), scores)
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    scores /= scores.sum(-1, keepdims=True)
    mixed = scores.reshape(batch, kv, -1, last - first) @ held
    mixed = mixed.reshape(batch, kv, heads // kv, count, size).transpose(0, 3, 1, 2, 4)
    return np.ascontiguousarray(mixed).reshape(batch, count, heads, size)
