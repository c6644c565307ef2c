"""Attention for training on CPUs, by a kernel in C of this project (`model/native/attention.c`).

As in Flash Attention nothing of size queries x keys is kept: the backward pass computes shares again. The kernel is an
optional extension, loaded as a plain library through ctypes, and works with torch's own threads. Tensors are read and
written where they are, whatever their strides; the output lies as (M, H, C) in memory, as the projection after it
wants it, and gradients likewise. Results are the same to the bit on any number of threads.

    out = attend(q, k, v, Documents.of((3, 5)), window=None)     # q: (H, M, C); k, v: (K, N, C) -> (H, M, C)
"""

import ctypes
import importlib.util
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from foretrace.errors import UsageError
from foretrace.model.documents import Documents

KERNELS = ("avx512-bf16", "avx512", "avx2", "plain")
"""What the kernel is compiled for, the fastest first; as in `attention.c`. The first takes bfloat16 alone."""
MAX_HEAD_DIM = 128
_Int, _Long, _Pointer = ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p


class _Tensor(ctypes.Structure):
    _fields_ = (("data", _Pointer), ("head", _Long), ("token", _Long))


class _Call(ctypes.Structure):
    _fields_ = (
        *((name, _Tensor) for name in ("q", "k", "v", "out", "grad_out", "grad_q", "grad_k", "grad_v")),
        *((name, _Pointer) for name in ("highest", "inverse", "spans")),
        *((name, _Long) for name in ("num_spans", "queries", "window")),
        *((name, _Int) for name in ("heads", "key_heads", "head_dim", "is_bfloat16", "kernel", "threads")),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layout:
    """Where the documents are, as the kernel takes it."""

    spans: Tensor
    """(spans, 4) int64: query, key, length, reach."""
    queries: int
    end: int
    """Of the last document's keys."""
    covered: int
    """Keys that some query's document has up to it; the gradient of any other is 0."""


def attend(q: Tensor, k: Tensor, v: Tensor, documents: Documents, window: int | None, kernel: str | None = None) -> Tensor:
    """Document-causal attention: see `foretrace.model.attention`.

    Args:
        q: (H, M, C) float32 or bfloat16, C a multiple of 16 up to 128.
        k: (K, N, C), the same dtype.
        v: like k.
        documents: spans with the same `key` are of one document; documents do not overlap.
        window: a token sees itself and the `window - 1` before it; None sees its whole document.
        kernel: one of `kernels(q.dtype)`; None is the fastest.

    Raises:
        UsageError: the kernel is not there, or does not take such tensors.

    """
    _check(q, k, v, documents, window)
    kernel = kernel or kernels(q.dtype)[0]
    if kernel not in kernels(q.dtype):
        raise UsageError(f"no kernel {kernel!r} for {q.dtype} on this processor; there are {kernels(q.dtype)}")
    out: Tensor = _Attention.apply(q, k, v, documents, window, kernel)  # type: ignore[no-untyped-call]
    return out


def available() -> bool:
    """Whether this installation has the kernel."""
    return _library() is not None


def supports(q: Tensor) -> bool:
    """Whether the kernel takes tensors of this device, dtype and head size."""
    dim = q.shape[-1]
    takes_dtype = q.dtype in (torch.float32, torch.bfloat16)
    return q.device.type == "cpu" and takes_dtype and 0 < dim <= MAX_HEAD_DIM and dim % 16 == 0


@cache
def kernels(dtype: torch.dtype) -> tuple[str, ...]:
    """Those of `KERNELS` that run here for a dtype, the fastest first."""
    library = _library()
    if library is None:
        return ()
    runs = (name for i, name in enumerate(KERNELS) if library.foretrace_attention_runs(i))
    return tuple(name for name in runs if dtype == torch.bfloat16 or name != "avx512-bf16")


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, documents: Documents, window: int | None, kernel: str) -> Tensor:
        q, k, v = (_readable(x) for x in (q, k, v))
        out, statistics = _like(q), q.new_empty(2, *q.shape[:2], dtype=torch.float32)
        call = _call(q, k, v, out, statistics, _layout(documents), window, kernel)
        _run("foretrace_attention_forward", call)
        ctx.save_for_backward(q, k, v, out, statistics)
        ctx.rest = documents, window, kernel
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, out, statistics = ctx.saved_tensors
        documents, window, kernel = ctx.rest
        layout = _layout(documents)
        grad_out = _readable(grad_outputs[0].to(out.dtype))
        grad_q, grad_k, grad_v = _like(q), _like(k), _like(v)
        if layout.covered < k.shape[1]:
            grad_k.zero_()
            grad_v.zero_()
        call = _call(q, k, v, out, statistics, layout, window, kernel)
        gradients = (("grad_out", grad_out), ("grad_q", grad_q), ("grad_k", grad_k), ("grad_v", grad_v))
        for name, tensor in gradients:
            setattr(call, name, _view(tensor))
        _run("foretrace_attention_backward", call)
        return grad_q, grad_k, grad_v, None, None, None


def _call(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    out: Tensor,
    statistics: Tensor,
    layout: _Layout,
    window: int | None,
    kernel: str,
) -> _Call:
    return _Call(
        **{name: _view(x) for name, x in (("q", q), ("k", k), ("v", v), ("out", out))},
        highest=statistics[0].data_ptr(),
        inverse=statistics[1].data_ptr(),
        spans=layout.spans.data_ptr(),
        num_spans=len(layout.spans),
        queries=q.shape[1],
        window=window or 0,
        heads=len(q),
        key_heads=len(k),
        head_dim=q.shape[2],
        is_bfloat16=q.dtype == torch.bfloat16,
        kernel=KERNELS.index(kernel),
        threads=torch.get_num_threads(),
    )


def _run(function: str, call: _Call) -> None:
    """Without the interpreter's lock, and on torch's threads."""
    if getattr(_library(), function)(ctypes.byref(call), _team()):
        raise MemoryError("no memory for attention")


def _view(x: Tensor) -> _Tensor:
    return _Tensor(x.data_ptr(), x.stride(0), x.stride(1))


def _readable(x: Tensor) -> Tensor:
    """With its last dimension contiguous."""
    return x if x.stride(-1) == 1 else x.contiguous()


def _like(x: Tensor) -> Tensor:
    """An empty tensor (heads, tokens, C) that lies as (tokens, heads, C) in memory."""
    heads, tokens, dim = x.shape
    return x.new_empty(tokens, heads, dim).transpose(0, 1)


def _check(q: Tensor, k: Tensor, v: Tensor, documents: Documents, window: int | None) -> None:
    if not available():
        raise UsageError(
            "the attention kernel is not there: no C compiler was found when foretrace was installed; "
            "install one and foretrace again, or choose the attention 'sdpa-block'"
        )
    if not supports(q):
        raise UsageError(
            f"the attention 'native' takes float32 and bfloat16 on CPUs with a head_dim that is a multiple of 16 "
            f"up to {MAX_HEAD_DIM}, not {q.dtype} on {q.device} with {q.shape[-1]}; choose 'sdpa-block'"
        )
    same = k.shape == v.shape and k.shape[2:] == q.shape[2:] and {k.dtype, v.dtype} == {q.dtype}
    if not same or k.device != q.device or v.device != q.device or len(q) % max(len(k), 1):
        raise UsageError(f"queries, keys and values do not fit together: {_shape(q)}, {_shape(k)}, {_shape(v)}")
    layout = _layout(documents)
    if layout.queries != q.shape[1] or layout.end > k.shape[1]:
        raise UsageError(
            f"the documents have {layout.queries} queries and {layout.end} keys, the tensors {q.shape[1]} and {k.shape[1]}"
        )
    if window is not None and window < 1:
        raise UsageError(f"a window counts the token itself, so it is 1 or more, not {window}")


def _shape(x: Tensor) -> str:
    return f"{tuple(x.shape)} {x.dtype} on {x.device}"


def _layout(documents: Documents) -> _Layout:
    """Derived once for all layers.

    Raises:
        UsageError: documents overlap, which the kernel relies on they don't.

    """
    found = documents.plans.get("native")
    if not isinstance(found, _Layout):
        spans = [span for span in documents.spans if span.length]
        ends: dict[int, int] = {}
        for span in spans:
            ends[span.key] = max(ends.get(span.key, 0), span.key + span.reach - 1 + span.length)
        in_order = sorted(ends.items())
        follow = all(end <= key for (_, end), (key, _) in pairwise(in_order))
        follow = follow and all(span.query >= 0 and span.key >= 0 and span.reach >= 1 for span in spans)
        by_query = sorted((span.query, span.query + span.length) for span in spans)
        if not follow or [0, *(end for _, end in by_query)][: len(by_query)] != [start for start, _ in by_query]:
            raise UsageError("documents or their queries overlap, or some queries are of no document")
        found = documents.plans["native"] = _Layout(
            spans=torch.tensor(spans, dtype=torch.int64).view(-1, 4),
            queries=sum(span.length for span in spans),
            end=max(ends.values(), default=0),
            covered=sum(end - key for key, end in in_order),
        )
    return found


@cache
def _library() -> ctypes.CDLL | None:
    spec = importlib.util.find_spec("foretrace.model._attention")
    if spec is None or spec.origin is None:
        return None
    try:
        library = ctypes.CDLL(spec.origin)
    except OSError:
        return None
    for function in (library.foretrace_attention_forward, library.foretrace_attention_backward):
        function.argtypes = [ctypes.POINTER(_Call), _Pointer]
    library.foretrace_attention_runs.argtypes = [ctypes.c_int]
    return library


@cache
def _team() -> int | None:
    """Address of the function that runs something on torch's OpenMP threads; None if torch has none that is known.

    torch's threads wait for the next operation actively, and threads of our own would have to share the cores with
    them: right after another operation 1,024 tokens took 0.59 ms rather than 0.44, 4,096 tokens 3.4 rather than 2.7
    (two cores). So the library is not linked with an OpenMP that may be a second one beside torch's.
    """
    try:
        return ctypes.cast(ctypes.CDLL(None).GOMP_parallel, _Pointer).value
    except (AttributeError, OSError):
        return None
