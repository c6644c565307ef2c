"""Attention within documents: causal, and on sliding layers within a window. Backends are chosen by name.

    attend = backend("sdpa-block")
    out = attend(q, k, v, Documents.of((3, 5)), window=None)     # q: (H, M, C); k, v: (K, N, C) -> (H, M, C)

| name         | where                                  | what                                              |
|--------------|----------------------------------------|---------------------------------------------------|
| `native`     | CPU, float32 and bfloat16              | a kernel in C of this project: the fastest there   |
| `sdpa-block` | everywhere                             | torch's kernel, blocks of queries at a time       |
| `flex`       | CUDA                                   | `flex_attention` with a block mask                |
| `varlen`     | CUDA, bfloat16 and float16             | Flash Attention over cumulative lengths           |
| `dense`      | everywhere                             | one explicit mask: the reference                  |
"""

from collections.abc import Callable
from importlib import import_module

import torch
from torch import Tensor

from foretrace.errors import UsageError
from foretrace.model.documents import Documents

Attend = Callable[[Tensor, Tensor, Tensor, Documents, int | None], Tensor]
"""(queries (H, M, C), keys (K, N, C), values (K, N, C), documents, window) -> (H, M, C). H is a multiple of K; query
head h reads key head h * K // H; scores are scaled by C ** -0.5; a window counts the token itself, None sees the
whole document."""

BACKENDS = ("native", "sdpa-block", "flex", "varlen", "dense")


def backend(name: str) -> Attend:
    """The attention called `name`.

    Raises:
        UsageError: there is none.

    """
    if name not in BACKENDS:
        raise UsageError(f"no attention called {name!r}; known: {', '.join(BACKENDS)}")
    attend: Attend = import_module(f"foretrace.model.attention.{name.replace('-', '_')}").attend
    return attend


def best_backend(device: torch.device, dtype: torch.dtype, head_dim: int) -> str:
    """The name of the fastest backend for a device, the dtype that is computed in, and the size of a head."""
    if device.type == "cuda":
        return "varlen" if dtype in (torch.bfloat16, torch.float16) else "sdpa-block"
    if device.type == "cpu":
        from foretrace.model.attention.native import available, supports

        if available() and supports(torch.empty(0, 0, head_dim, dtype=dtype)):
            return "native"
    return "sdpa-block"
