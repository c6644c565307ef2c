"""Attention in blocks of queries by torch's own kernel: on every device, linear in length on sliding layers.

A dense mask over a packed row costs more than computing what it masks away. So the stream's queries are taken a
block at a time, and a block sees only the run of keys between the first and the last that any of its queries may
see. The backward pass computes each block again: nothing of size queries x keys is kept, and gradients of
overlapping runs of keys are added in place (autograd would fill a tensor of the whole stream for every block's slice).
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from foretrace.model.documents import Documents

BLOCK = 256
"""Queries a block: measured best of 64 to 512 on CPU (`bench/train/attention.py`)."""


def attend(q: Tensor, k: Tensor, v: Tensor, documents: Documents, window: int | None) -> Tensor:
    """Document-causal attention: see `foretrace.model.attention`."""
    out: Tensor = _Blocks.apply(q, k, v, documents, window)  # type: ignore[no-untyped-call]
    return out


class _Blocks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, documents: Documents, window: int | None) -> Tensor:
        out = torch.empty_like(q)
        for queries, keys, mask in _blocks(documents, window):
            out[:, queries] = _attend(q[:, queries], k[:, keys], v[:, keys], mask)
        ctx.save_for_backward(q, k, v)
        ctx.documents, ctx.window = documents, window
        return out

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v = ctx.saved_tensors
        grad_q, grad_k, grad_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for queries, keys, mask in _blocks(ctx.documents, ctx.window):
            with torch.enable_grad():
                a, b, c = (x.detach().requires_grad_() for x in (q[:, queries], k[:, keys], v[:, keys]))
                out = _attend(a, b, c, mask)
            of_q, of_k, of_v = torch.autograd.grad(out, (a, b, c), grad_outputs[0][:, queries])
            grad_q[:, queries] = of_q
            grad_k[:, keys] += of_k
            grad_v[:, keys] += of_v
        return grad_q, grad_k, grad_v, None, None


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=mask, enable_gqa=True)[0]


def _blocks(documents: Documents, window: int | None) -> Iterator[tuple[slice, slice, Tensor]]:
    """Each block's queries, the keys that any of them sees, and which sees which: (queries, keys) bool."""
    low, high = documents.bounds(window)
    for queries, keys in _extents(documents, window):
        index = torch.arange(keys.start, keys.stop, device=low.device)
        yield queries, keys, (index >= low[queries, None]) & (index <= high[queries, None])


def _extents(documents: Documents, window: int | None) -> list[tuple[slice, slice]]:
    """Slices of the blocks' queries and keys; derived once for all layers with this window, and without asking a
    device.
    """
    plan = ("sdpa-block", window)
    if plan not in documents.plans:
        low, high = (bound.cpu() for bound in documents.bounds(window))
        starts = range(0, len(low), BLOCK)
        blocks = [slice(start, min(start + BLOCK, len(low))) for start in starts]
        documents.plans[plan] = [(b, slice(int(low[b].min()), int(high[b].max()) + 1)) for b in blocks]
    found: Any = documents.plans[plan]
    return list(found)
