"""Attention within documents: causal, and on sliding layers within a window.

A dense mask over a packed row is slower than computing what it masks away, and the fused kernels of a CPU are
slower still on short documents. So each document is attended alone, its queries in chunks, and a chunk
sees only the keys that it may see: the cost of a sliding layer is linear in length, nothing is padded, and no mask is
larger than one chunk. `dense_reference` says what the result must be.

    out = attend(q, k, v, lengths=(3, 5), window=None)      # q: (H, 8, C), k and v: (K, 8, C) -> (H, 8, C)
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

CHUNK = 256
"""Queries a chunk: measured best of 64 to 512 on CPU (`bench/attention.py`)."""


def attend(q: Tensor, k: Tensor, v: Tensor, lengths: tuple[int, ...], window: int | None) -> Tensor:
    """Document-causal attention over a flat stream.

    Args:
        q: (H, N, C); k, v: (K, N, C) with H a multiple of K.
        lengths: of the documents, end to end; their sum is N.
        window: a token sees itself and the `window - 1` before it; None sees the whole document.

    Returns:
        (H, N, C), dtype of `v`.

    """
    out: Tensor = _Chunked.apply(q, k, v, lengths, window)  # type: ignore[no-untyped-call]
    return out


class _Chunked(torch.autograd.Function):
    """The derivative is written out: autograd would fill a tensor of the whole stream for every chunk's slice.

    The query heads that share a key head are laid end to end, G * n queries of one product, so that keys and values
    are never repeated.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, lengths: tuple[int, ...], window: int | None) -> Tensor:
        out = torch.empty_like(q)
        chunks = list(_chunks(lengths, window))
        shares = []
        for queries, keys in chunks:
            scores = torch.bmm(_by_key_head(q, queries, k) * q.shape[-1] ** -0.5, k[:, keys].mT)
            rows = queries.stop - queries.start
            scores.view(len(k), -1, rows, scores.shape[-1]).add_(_bias(rows, scores.shape[-1], window, q))
            share = scores.softmax(dim=-1)
            _put(out, queries, torch.bmm(share, v[:, keys]))
            shares.append(share)
        ctx.save_for_backward(q, k, v, *shares)
        ctx.chunks = chunks
        return out

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, *shares = ctx.saved_tensors
        grad_q, grad_k, grad_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        scale = q.shape[-1] ** -0.5
        for (queries, keys), share in zip(ctx.chunks, shares, strict=True):
            grad = _by_key_head(grad_outputs[0], queries, k)
            grad_v[:, keys].baddbmm_(share.mT, grad)
            grad_share = torch.bmm(grad, v[:, keys].mT)
            grad_scores = torch._softmax_backward_data(grad_share, share, -1, share.dtype).mul_(scale)
            _put(grad_q, queries, torch.bmm(grad_scores, k[:, keys]))
            grad_k[:, keys].baddbmm_(grad_scores.mT, _by_key_head(q, queries, k))
        return grad_q, grad_k, grad_v, None, None


def _chunks(lengths: tuple[int, ...], window: int | None) -> Iterator[tuple[slice, slice]]:
    """Places in the stream of each chunk's queries and of the keys that they may see."""
    start = 0
    for length in lengths:
        for first in range(0, length, CHUNK):
            last = min(length, first + CHUNK)
            oldest = max(0, first - window + 1) if window else 0
            yield slice(start + first, start + last), slice(start + oldest, start + last)
        start += length


def _by_key_head(x: Tensor, queries: slice, k: Tensor) -> Tensor:
    """x: (H, N, C) -> (K, G * n, C): the queries of a chunk, those that share a key head together."""
    return x[:, queries].reshape(k.shape[0], -1, x.shape[-1])


def _put(x: Tensor, queries: slice, part: Tensor) -> None:
    """The inverse: writes part (K, G * n, C) to a chunk of x (H, N, C)."""
    x[:, queries] = part.view(x.shape[0], -1, x.shape[-1])


def dense_reference(q: Tensor, k: Tensor, v: Tensor, lengths: tuple[int, ...], window: int | None) -> Tensor:
    """The same by one explicit (N, N) mask: slow, obviously right, what tests compare with."""
    document = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    index = torch.arange(q.shape[1])
    distance = index[:, None] - index[None, :]
    mask = (document[:, None] == document[None, :]) & (distance >= 0)
    if window is not None:
        mask &= distance < window
    mask = mask.to(q.device)
    return F.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=mask, enable_gqa=True)[0]


def _bias(queries: int, keys: int, window: int | None, like: Tensor) -> Tensor:
    """(1, queries, keys): 0 where a query may look, minus infinity elsewhere; the last query sees the last key."""
    reach = 1 << (keys - queries).bit_length()
    table = _bias_table(reach, window, like.dtype, like.device)
    oldest = reach - (keys - queries)
    return table[None, :queries, oldest : oldest + keys]


@lru_cache(maxsize=64)
def _bias_table(reach: int, window: int | None, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(CHUNK, reach + CHUNK): the bias of query i for the key at i + reach - j before it, for every chunk length."""
    distance = torch.arange(CHUNK)[:, None] + reach - torch.arange(reach + CHUNK)[None, :]
    hidden = distance < 0
    if window is not None:
        hidden |= distance >= window
    return torch.zeros(hidden.shape, dtype=dtype).masked_fill_(hidden, float("-inf")).to(device)
