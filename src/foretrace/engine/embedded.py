"""The embedded engine: the transformer's forward pass in NumPy, with a KV cache. No torch.

Measured in `docs/engine.md`: it is simple and needs no compiler; batches share every matrix product, and
it is not yet as fast as it must be. B sequences, T new tokens, H query heads, K key heads, C head_dim, S cached positions.

    engine = EmbeddedEngine(load_checkpoint(folder), name="tiny")
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.sampling import Sampler
from foretrace.engine.types import Generation
from foretrace.errors import UsageError
from foretrace.model.checkpoint import Checkpoint
from foretrace.model.config import SLIDING

Array = NDArray[np.float32]
BATCH = 32
"""Sequences decoded together: past this, attention outweighs what the shared products save."""


@dataclass(slots=True)
class _Layer:
    """One layer's weights, transposed for `x @ w` and fused where inputs are shared; norms folded in."""

    qkv: Array
    output: Array
    gate_up: Array
    down: Array
    window: int | None


class _Cache:
    """Keys and values of B sequences in slots of equal size: (layers, B, K, S, C)."""

    def __init__(self, layers: int, batch: int, heads: int, capacity: int, head_dim: int) -> None:
        self.keys = np.zeros((layers, batch, heads, capacity, head_dim), dtype=np.float32)
        self.values = np.zeros_like(self.keys)
        self.lengths = np.zeros(batch, dtype=np.int64)

    def grow(self, capacity: int) -> None:
        """Makes room for `capacity` positions."""
        have = self.keys.shape[3]
        if capacity <= have:
            return
        extra = max(capacity, 2 * have) - have
        pad = ((0, 0), (0, 0), (0, 0), (0, extra), (0, 0))
        self.keys, self.values = np.pad(self.keys, pad), np.pad(self.values, pad)


class EmbeddedEngine:
    """Greedy and sampled decoding of a checkpoint in NumPy."""

    def __init__(self, checkpoint: Checkpoint, name: str) -> None:
        self.config = checkpoint.config
        self._name, self._tokenizer = name, checkpoint.tokenizer
        weights = checkpoint.weights
        self._embedding = weights["model.embed_tokens.weight"]
        head = weights.get("lm_head.weight", self._embedding)
        self._head = np.ascontiguousarray((head * weights["model.norm.weight"]).T)
        self._layers = [self._layer(weights, i) for i in range(self.config.num_hidden_layers)]
        self._rope = self._rope_table(self.config.max_position_embeddings)

    @property
    def name(self) -> str:
        """What the user called it."""
        return self._name

    @property
    def context_length(self) -> int:
        """Tokens of prompt and continuation together."""
        return self.config.max_position_embeddings

    @property
    def tokenizer(self) -> Tokenizer:
        """The checkpoint's tokenizer."""
        return self._tokenizer

    # -- asking --------------------------------------------------------------------------------------

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        stop: Collection[int] = (),
    ) -> list[Generation]:
        """Continues every prompt; a finished sequence's place in the batch goes to the next prompt.

        Raises:
            UsageError: a prompt is empty.

        """
        if not all(len(p) for p in prompts):
            raise UsageError("cannot continue an empty prompt")
        batch = _Batch(self, min(BATCH, max(len(prompts), 1)), max_tokens, Sampler(temperature, top_p, seed), set(stop))
        return batch.run(prompts)

    def predict_next(self, ids: Sequence[int]) -> tuple[NDArray[np.int64], Array]:
        """The likeliest next token (T,) and the log probability (T - 1,) of each actual one."""
        logits = self.logits(ids)
        actual = np.asarray(ids[1:], dtype=np.int64)
        return logits.argmax(-1), log_softmax(logits[:-1])[np.arange(len(actual)), actual]

    def logits(self, ids: Sequence[int]) -> Array:
        """Next-token logits at every position: (T, vocab_size)."""
        cache = self._new_cache(1, len(ids))
        return self._head_logits(self.advance(np.asarray([ids], dtype=np.int64), cache, np.array([0]))[0])

    # -- computing -----------------------------------------------------------------------------------

    def advance(self, ids: NDArray[np.int64], cache: _Cache, rows: NDArray[np.int64]) -> Array:
        """Feeds T tokens to each of the sequences in cache slots `rows`: ids (B, T) -> hidden (B, T, D)."""
        config = self.config
        batch, count = ids.shape
        start = cache.lengths[rows]
        positions = start[:, None] + np.arange(count)
        cache.grow(int(positions.max()) + 1)
        cos, sin = self._rope[0][positions][:, :, None, :], self._rope[1][positions][:, :, None, :]
        heads, kv = config.num_attention_heads, config.num_key_value_heads
        x = self._embedding[ids]
        for number, layer in enumerate(self._layers):
            qkv = (_normalise(x, config.rms_norm_eps) @ layer.qkv).reshape(batch, count, heads + 2 * kv, -1)
            rotated = _rotate(qkv[:, :, : heads + kv], cos, sin)
            keys, values = cache.keys[number], cache.values[number]
            for i, row in enumerate(rows):
                keys[row, :, start[i] : start[i] + count] = rotated[i, :, heads:].transpose(1, 0, 2)
                values[row, :, start[i] : start[i] + count] = qkv[i, :, heads + kv :].transpose(1, 0, 2)
            attended = _attend(rotated[:, :, :heads], keys, values, rows, positions, layer.window)
            x = x + attended.reshape(batch, count, -1) @ layer.output
            gate, up = np.split(_normalise(x, config.rms_norm_eps) @ layer.gate_up, 2, axis=-1)
            x = x + (_silu(gate) * up) @ layer.down
        cache.lengths[rows] += count
        return x

    def _head_logits(self, hidden: Array) -> Array:
        """hidden: (..., D) -> logits (..., vocab_size)."""
        logits: Array = _normalise(hidden, self.config.rms_norm_eps) @ self._head
        return logits

    def _new_cache(self, batch: int, capacity: int) -> _Cache:
        config = self.config
        return _Cache(config.num_hidden_layers, batch, config.num_key_value_heads, capacity, config.head_dim)

    def _layer(self, weights: dict[str, Array], number: int) -> _Layer:
        def get(name: str) -> Array:
            return weights[f"model.layers.{number}.{name}.weight"]

        attention, mlp = get("input_layernorm"), get("post_attention_layernorm")
        scale = self.config.head_dim**-0.5
        qkv = [get("self_attn.q_proj") * scale, get("self_attn.k_proj"), get("self_attn.v_proj")]
        sliding = self.config.layer_types[number] == SLIDING
        return _Layer(
            qkv=np.ascontiguousarray((np.concatenate(qkv) * attention).T),
            output=np.ascontiguousarray(get("self_attn.o_proj").T),
            gate_up=np.ascontiguousarray((np.concatenate([get("mlp.gate_proj"), get("mlp.up_proj")]) * mlp).T),
            down=np.ascontiguousarray(get("mlp.down_proj").T),
            window=self.config.sliding_window if sliding else None,
        )

    def _rope_table(self, length: int) -> tuple[Array, Array]:
        """Cosines and sines of every position: two (length, C)."""
        half = self.config.head_dim // 2
        angles = np.arange(length)[:, None] * self.config.rope_theta ** -(np.arange(half) / half)
        angles = np.concatenate([angles, angles], axis=-1)
        return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


class _Batch:
    """Continuous batching: every slot holds one sequence, finished ones make room."""

    def __init__(self, engine: EmbeddedEngine, size: int, max_tokens: int, sampler: Sampler, stop: set[int]) -> None:
        self.engine, self.max_tokens, self.sampler, self.stop = engine, max_tokens, sampler, stop
        self.cache = engine._new_cache(size, 256)
        self.free = list(range(size))
        self.active: dict[int, int] = {}
        """Slot to number of the prompt."""

    def run(self, prompts: Sequence[Sequence[int]]) -> list[Generation]:
        """Continues all prompts."""
        self.results = [Generation([], [], "length") for _ in prompts]
        self.room = [self.engine.context_length - len(p) for p in prompts]
        waiting = list(range(len(prompts)))[::-1]
        while waiting or self.active:
            while waiting and self.free:
                self._start(waiting.pop(), prompts)
            if self.active:
                self._step()
        return self.results

    def _start(self, number: int, prompts: Sequence[Sequence[int]]) -> None:
        if self.room[number] <= 0:
            self.results[number] = Generation([], [], "context")
            return
        slot = self.free.pop()
        self.cache.lengths[slot] = 0
        ids = np.asarray([prompts[number]], dtype=np.int64)
        hidden = self.engine.advance(ids, self.cache, np.array([slot]))[:, -1]
        self.active[slot] = number
        self._take(np.array([slot]), self.engine._head_logits(hidden))

    def _step(self) -> None:
        rows = np.array(sorted(self.active))
        ids = np.array([[self.results[self.active[row]].tokens[-1]] for row in rows], dtype=np.int64)
        hidden = self.engine.advance(ids, self.cache, rows)[:, 0]
        self._take(rows, self.engine._head_logits(hidden))

    def _take(self, rows: NDArray[np.int64], logits: Array) -> None:
        """Chooses the next token of every row and retires the sequences that end."""
        for row, scores, logs in zip(rows.tolist(), logits, log_softmax(logits), strict=True):
            number = self.active[row]
            result = self.results[number]
            token = self.sampler.choose(scores, number, len(result.tokens))
            result.tokens.append(token)
            result.logprobs.append(float(logs[token]))
            finish = self._finish(token, len(result.tokens), self.room[number])
            if finish:
                self.results[number] = Generation(result.tokens, result.logprobs, finish)
                del self.active[row]
                self.free.append(row)

    def _finish(self, token: int, count: int, room: int) -> str:
        if token in self.stop:
            return "stop"
        if count >= self.max_tokens:
            return "length"
        return "context" if count >= room else ""


def log_softmax(logits: Array) -> Array:
    """Log probabilities over the last axis."""
    shifted = logits - logits.max(-1, keepdims=True)
    result: Array = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return result


def _normalise(x: Array, eps: float) -> Array:
    """RMSNorm without its weight, which is folded into the matrix that follows."""
    mean = np.einsum("...d,...d->...", x, x)[..., None] / x.shape[-1]
    return np.asarray(x / np.sqrt(mean + eps), dtype=np.float32)


def _silu(x: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(x / (1 + np.exp(-x)), dtype=np.float32)


def _rotate(x: Array, cos: Array, sin: Array) -> Array:
    half = x.shape[-1] // 2
    turned = np.concatenate([-x[..., half:], x[..., :half]], axis=-1)
    return np.asarray(x * cos + turned * sin, dtype=np.float32)


def _attend(
    q: Array, keys: Array, values: Array, rows: NDArray[np.int64], positions: NDArray[np.int64], window: int | None
) -> Array:
    """q: (B, T, H, C), keys and values: (slots, K, S, C), positions: (B, T) of the queries -> (B, T, H, C)."""
    batch, count, heads, size = q.shape
    kv = keys.shape[1]
    last = int(positions.max()) + 1
    first = max(0, int(positions.min()) - window + 1) if window else 0
    known = keys[rows, :, first:last] if batch > 1 else keys[rows[0]][None, :, first:last]
    held = values[rows, :, first:last] if batch > 1 else values[rows[0]][None, :, first:last]
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
