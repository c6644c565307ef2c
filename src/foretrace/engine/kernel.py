"""The transformer's forward pass in C (`_kernel.c`), called through ctypes: the same as `forward.py`, many times faster.

The kernel is an optional extension: where it could not be compiled, or does not take a model's shape, `best_forward`
gives NumPy. It is loaded as a plain library, needs no Python headers, and runs without holding the interpreter's lock.

    forward = best_forward(checkpoint.config, checkpoint.weights)
"""

import ctypes
import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretrace.engine.forward import (
    Array,
    Cache,
    Forward,
    NumpyForward,
    check_range,
    fused_layers,
    output_matrix,
    rope_tables,
)
from foretrace.model.checkpoint import Weights
from foretrace.model.config import ModelConfig

WIDE = 32
"""Outputs, and positions, that lie side by side in a panel; as in `_kernel.c`."""
_Int, _Long, _Float, _Pointer = ctypes.c_int32, ctypes.c_int64, ctypes.c_float, ctypes.c_void_p
_MATRICES = ("qkv", "output", "gate_up", "down")


class _LayerStruct(ctypes.Structure):
    _fields_ = (*((name, _Pointer) for name in (*_MATRICES, "attention_norm", "mlp_norm")), ("window", _Int))


class _ModelStruct(ctypes.Structure):
    _fields_ = (
        *((name, _Int) for name in ("hidden", "mlp", "heads", "kv_heads", "head_dim", "vocab", "num_layers", "half")),
        *((name, _Float) for name in ("eps", "scale")),
        *((name, _Pointer) for name in ("embedding", "head", "norm", "cosines", "sines")),
        ("layers", ctypes.POINTER(_LayerStruct)),
    )


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
    model = ctypes.POINTER(_ModelStruct)
    kernel.foretrace_forward.argtypes = [model, _Long, _Pointer, _Pointer, _Pointer]
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

    exact = True
    threads_itself = False

    def __init__(self, kernel: ctypes.CDLL, config: ModelConfig, weights: Weights) -> None:
        """`config.head_dim` must be a multiple of `WIDE`."""
        self.config = config
        self._kernel = kernel
        self._held: list[NDArray[Any]] = []
        """Keeps alive what the structures point to."""
        layers, head = fused_layers(config, weights), output_matrix(weights)
        matrices = [head, *(getattr(layer, name) for layer in layers for name in _MATRICES)]
        halves = [_halves(matrix) for matrix in matrices] if kernel.foretrace_takes_half() else [None]
        is_half = all(half is not None for half in halves)
        addresses = [self._panels(matrix) for matrix in (halves if is_half else matrices) if matrix is not None]
        structs = (_LayerStruct * len(layers))()
        for number, layer in enumerate(layers):
            norms = self._hold(layer.attention_norm), self._hold(layer.mlp_norm)
            structs[number] = _LayerStruct(*addresses[1 + 4 * number : 5 + 4 * number], *norms, layer.window or 0)
        self._model = _ModelStruct(
            config.hidden_size,
            config.intermediate_size,
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
            config.vocab_size,
            config.num_hidden_layers,
            is_half,
            config.rms_norm_eps,
            config.head_dim**-0.5,
            self._hold(weights["model.embed_tokens.weight"]),
            addresses[0],
            self._hold(weights["model.norm.weight"]),
            *(self._hold(table) for table in rope_tables(config)),
            structs,
        )

    def new_cache(self) -> Cache:
        """Keys: (layers, K, S / WIDE, C, WIDE); values: (layers, K, S, C)."""
        config = self.config
        shape = (config.num_hidden_layers, config.num_key_value_heads)
        keys = np.zeros((*shape, 256 // WIDE, config.head_dim, WIDE), dtype=np.float32)
        return Cache(keys, np.zeros((*shape, 256, config.head_dim), dtype=np.float32))

    def advance(self, tokens: Sequence[Sequence[int]], caches: Sequence[Cache]) -> Array:
        """Feeds each sequence further tokens: their hidden states (N, D)."""
        counts = [len(piece) for piece in tokens]
        ids = np.fromiter(chain.from_iterable(tokens), dtype=np.int64)
        check_range(self.config, ids, caches, counts)  # C would read beyond its arrays
        pieces = np.empty((len(caches), 5), dtype=np.int64)
        for row, (cache, count) in enumerate(zip(caches, counts, strict=True)):
            cache.reserve(cache.length + count)
            pieces[row] = cache.keys.ctypes.data, cache.values.ctypes.data, cache.capacity, cache.length, count
        hidden = np.empty((len(ids), self.config.hidden_size), dtype=np.float32)
        arrays = (array.ctypes.data for array in (pieces, ids, hidden))
        if self._kernel.foretrace_forward(self._model, len(caches), *arrays):
            raise MemoryError("no memory for the activations")
        for cache, count in zip(caches, counts, strict=True):
            cache.length += count
        return hidden

    def logits(self, hidden: Array) -> Array:
        """hidden: (N, D) -> (N, vocab_size)."""
        hidden = np.ascontiguousarray(hidden, dtype=np.float32)
        logits = np.empty((len(hidden), self.config.vocab_size), dtype=np.float32)
        if self._kernel.foretrace_logits(self._model, len(hidden), hidden.ctypes.data, logits.ctypes.data):
            raise MemoryError("no memory for the activations")
        return logits

    def _panels(self, matrix: NDArray[Any]) -> int:
        """The address of a matrix (out, in) as panels (out / WIDE, in, WIDE), padded with zeros."""
        rows, columns = matrix.shape
        padded = np.zeros((-(-rows // WIDE) * WIDE, columns), dtype=matrix.dtype)
        padded[:rows] = matrix
        return self._hold(padded.reshape(-1, WIDE, columns).transpose(0, 2, 1))

    def _hold(self, array: NDArray[Any]) -> int:
        array = np.ascontiguousarray(array)
        self._held.append(array)
        return int(array.ctypes.data)


def _halves(matrix: Array) -> NDArray[np.float16] | None:
    """The same numbers as float16, if all are: half of the memory to read for each token."""
    with np.errstate(over="ignore"):
        halves = matrix.astype(np.float16)
    return halves if np.array_equal(halves, matrix) else None
