"""The reference: one explicit (M, N) mask. Slow, obviously right; what every other backend is compared with."""

import torch
from torch import Tensor
from torch.nn import functional as F

from foretrace.model.documents import Documents


def attend(q: Tensor, k: Tensor, v: Tensor, documents: Documents, window: int | None) -> Tensor:
    """Document-causal attention: see `foretrace.model.attention`."""
    low, high = documents.bounds(window)
    key = torch.arange(k.shape[1], device=q.device)
    mask = (key >= low[:, None]) & (key <= high[:, None])
    return F.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=mask, enable_gqa=True)[0]
