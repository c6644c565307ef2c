"""`flex_attention` of torch, compiled, with a block mask of the documents: for CUDA (it has no backward pass on CPU).

One block mask serves all layers with the same window. The mask asks two tensors for the first and the last key of a
query, so that its code, and with it what was compiled, is the same for every layout of documents.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from foretrace.model.documents import Documents


def attend(q: Tensor, k: Tensor, v: Tensor, documents: Documents, window: int | None) -> Tensor:
    """Document-causal attention: see `foretrace.model.attention`."""
    mask = _block_mask(documents, window, k.shape[1])
    out: Tensor = _compiled()(q[None], k[None], v[None], block_mask=mask, enable_gqa=q.shape[0] != k.shape[0])[0]
    return out


def _block_mask(documents: Documents, window: int | None, keys: int) -> BlockMask:
    plan = ("flex", window)
    if plan not in documents.plans:
        low, high = documents.bounds(window)

        def visible(_batch: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
            return (key >= low[query]) & (key <= high[query])

        documents.plans[plan] = _mask_builder()(visible, None, None, len(low), keys, device=documents.device)
    found = documents.plans[plan]
    assert isinstance(found, BlockMask)
    return found


@cache
def _mask_builder() -> Any:
    """Compiled on CUDA, because eager building holds a (queries, keys) mask in memory."""
    return torch.compile(create_block_mask) if torch.cuda.is_available() else create_block_mask


@cache
def _compiled() -> Any:
    return torch.compile(flex_attention)
