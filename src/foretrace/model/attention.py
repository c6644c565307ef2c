"""Attention within documents: causal, and on sliding layers within a window.

A dense mask over a packed row is slower than computing what it masks away, and the fused kernels of a CPU are
slower still on short documents. So each document is attended alone, its queries in chunks, and a chunk
sees only the keys that it may see: the cost of a sliding layer is linear in length, nothing is padded, and no mask is
larger than one chunk. `dense_reference` says what the result must be.

    out = attend(q, k, v, lengths=(3, 5), window=None)      # q: (H, 8, C), k and v: (K, 8, C) -> (H, 8, C)
"""

from functools import lru_cache

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
    groups = q.shape[0] // k.shape[0]
    q = q * q.shape[-1] ** -0.5
    k, v = (x.repeat_interleave(groups, dim=0) for x in (k, v))
    chunks = []
    start = 0
    for length in lengths:
        for first in range(0, length, CHUNK):
            last = min(length, first + CHUNK)
            oldest = max(0, first - window + 1) if window else 0
            keys = slice(start + oldest, start + last)
            bias = _bias(last - first, last - oldest, window, q)
            scores = torch.baddbmm(bias, q[:, start + first : start + last], k[:, keys].transpose(1, 2))
            chunks.append(torch.bmm(scores.softmax(dim=-1), v[:, keys]))
        start += length
    return torch.cat(chunks, dim=1)


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
