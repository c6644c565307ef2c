"""The transformer's forward pass in C (`_kernel.c`), called through ctypes: the same as `forward.py`, several times faster.

The kernel is an optional extension: where it could not be compiled, or does not take a model's shape, `best_forward`
gives NumPy. It is loaded as a plain library, needs no Python headers, and runs without holding the interpreter's lock.

    forward = best_forward(checkpoint.config, checkpoint.weights)
"""

import ctypes
import importlib.util
from functools import lru_cache

import numpy as np

from foretrace.engine.forward import Array, Cache, Forward, Ids, NumpyForward, fused_head, fused_layers, rope_tables
from foretrace.model.checkpoint import Weights
from foretrace.model.config import ModelConfig

WIDE = 32
"""Outputs, and positions, that lie side by side in a panel; as in `_kernel.c`."""
_Int, _Long, _Pointer = ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p


class _LayerStruct(ctypes.Structure):
    _fields_ = (("qkv", _Pointer), ("output", _Pointer), ("gate_up", _Pointer), ("down", _Pointer), ("window", _Int))


class _ModelStruct(ctypes.Structure):
    _fields_ = (
        *((name, _Int) for name in ("hidden", "mlp", "heads", "kv_heads", "head_dim", "vocab", "num_layers")),
        ("eps", ctypes.c_float),
        *((name, _Pointer) for name in ("embedding", "head", "cosines", "sines")),
        ("layers", ctypes.POINTER(_LayerStruct)),
    )


class _CacheStruct(ctypes.Structure):
    _fields_ = (("keys", _Pointer), ("values", _Pointer), ("slots", _Long), ("capacity", _Long))


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """The compiled kernel, `None` if this installation has none."""
    spec = importlib.util.find_spec("foretrace.engine._kernel")
    if spec is None or spec.origin is None:
        return None
    try:
        kernel = ctypes.CDLL(spec.origin)
    except OSError:
        return None
    model, cache = ctypes.POINTER(_ModelStruct), ctypes.POINTER(_CacheStruct)
    kernel.foretrace_forward.argtypes = [model, cache, _Long, _Pointer, _Pointer, _Pointer, _Pointer]
    kernel.foretrace_logits.argtypes = [model, _Long, _Pointer, _Pointer]
    return kernel


def best_forward(config: ModelConfig, weights: Weights) -> Forward:
    """The kernel if there is one and it takes this model's shape, else NumPy."""
    kernel = library()
    if kernel is None or config.head_dim % WIDE:
        return NumpyForward(config, weights)
    return KernelForward(kernel, config, weights)


class KernelForward:
    """The forward pass in C. Calls with different caches may run at the same time."""

    threads_itself = False

    def __init__(self, kernel: ctypes.CDLL, config: ModelConfig, weights: Weights) -> None:
        """`config.head_dim` must be a multiple of `WIDE`."""
        self.config = config
        self._kernel = kernel
        self._held: list[Array] = []
        """Keeps alive what the structures point to."""
        layers = (_LayerStruct * config.num_hidden_layers)(
            *(
                _LayerStruct(*(self._panels(w) for w in (x.qkv, x.output, x.gate_up, x.down)), x.window or 0)
                for x in fused_layers(config, weights)
            )
        )
        self._model = _ModelStruct(
            config.hidden_size,
            config.intermediate_size,
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
            config.vocab_size,
            config.num_hidden_layers,
            config.rms_norm_eps,
            self._hold(weights["model.embed_tokens.weight"]),
            self._panels(fused_head(weights)),
            *(self._hold(table) for table in rope_tables(config)),
            layers,
        )

    def new_cache(self, slots: int) -> Cache:
        """Keys: (layers, slots, K, S / WIDE, C, WIDE); values: (layers, slots, K, S, C)."""
        config = self.config
        shape = (config.num_hidden_layers, slots, config.num_key_value_heads)
        keys = np.zeros((*shape, 256 // WIDE, config.head_dim, WIDE), dtype=np.float32)
        return Cache(keys, np.zeros((*shape, 256, config.head_dim), dtype=np.float32), 3, WIDE)

    def advance(self, ids: Ids, cache: Cache, slots: Ids) -> Array:
        """Feeds T further tokens to each of B sequences: ids (B, T), slots (B,) -> hidden (B, T, D)."""
        batch, count = ids.shape
        positions = (cache.lengths[slots][:, None] + np.arange(count)).ravel()
        cache.reserve(int(positions.max()) + 1)
        tokens, rows = np.ascontiguousarray(ids, dtype=np.int64).ravel(), np.repeat(slots.astype(np.int64), count)
        limits = (self.config.vocab_size, cache.lengths.size, self.config.max_position_embeddings)
        for values, limit in zip((tokens, rows, positions), limits, strict=True):
            if values.min() < 0 or values.max() >= limit:
                raise IndexError(f"{values.max()} is out of range: 0 to {limit - 1}")  # C would read beyond its arrays
        hidden = np.empty((batch, count, self.config.hidden_size), dtype=np.float32)
        views = _CacheStruct(cache.keys.ctypes.data, cache.values.ctypes.data, cache.lengths.size, cache.capacity)
        arrays = (a.ctypes.data for a in (tokens, rows, positions, hidden))
        if self._kernel.foretrace_forward(self._model, views, tokens.size, *arrays):
            raise MemoryError("no memory for the activations")
        cache.lengths[slots] += count
        return hidden

    def logits(self, hidden: Array) -> Array:
        """hidden: (N, D) -> (N, vocab_size)."""
        hidden = np.ascontiguousarray(hidden, dtype=np.float32)
        logits = np.empty((len(hidden), self.config.vocab_size), dtype=np.float32)
        if self._kernel.foretrace_logits(self._model, len(hidden), hidden.ctypes.data, logits.ctypes.data):
            raise MemoryError("no memory for the activations")
        return logits

    def _panels(self, matrix: Array) -> int:
        """The address of a matrix (out, in) as panels (out / WIDE, in, WIDE), padded with zeros."""
        rows, columns = matrix.shape
        padded = np.zeros((-(-rows // WIDE) * WIDE, columns), dtype=np.float32)
        padded[:rows] = matrix
        return self._hold(padded.reshape(-1, WIDE, columns).transpose(0, 2, 1))

    def _hold(self, array: Array) -> int:
        array = np.ascontiguousarray(array, dtype=np.float32)
        self._held.append(array)
        return int(array.ctypes.data)
