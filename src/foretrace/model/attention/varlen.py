"""torch's variable-length Flash Attention: for CUDA, in bfloat16 or float16.

Documents are told by their cumulative lengths. torch 2.11 takes no grouped heads there, so that keys and values are
repeated on it.
"""

import inspect
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from foretrace.model.documents import Documents, Span, moved


class _Plan(NamedTuple):
    """Where documents begin, for the kernel."""

    queries: Tensor
    """(documents + 1,) int32: cumulative numbers of queries."""
    keys: Tensor
    """(documents + 1,) int32: cumulative numbers of keys."""
    longest: int
    gather: Tensor | None
    """Indices of the keys span by span, where spans share keys (context parallelism); None if the stream is in that
    order."""


def attend(q: Tensor, k: Tensor, v: Tensor, documents: Documents, window: int | None) -> Tensor:
    """Document-causal attention: see `foretrace.model.attention`."""
    from torch.nn.attention.varlen import varlen_attn

    plan = _plan(documents)
    if plan.gather is not None:
        k, v = k[:, plan.gather], v[:, plan.gather]
    grouped = {"enable_gqa": True} if _takes_groups() and len(q) != len(k) else {}
    if not grouped and len(q) != len(k):
        k, v = (x.repeat_interleave(len(q) // len(x), dim=0) for x in (k, v))
    before = -1 if window is None else window - 1
    options: dict[str, Any] = {"window_size": (before, 0), **grouped}
    q, k, v = (x.transpose(0, 1) for x in (q, k, v))
    out: Any = varlen_attn(q, k, v, plan.queries, plan.keys, plan.longest, plan.longest, **options)
    attended: Tensor = out.transpose(0, 1)
    return attended


def _plan(documents: Documents) -> _Plan:
    if "varlen" not in documents.plans:
        spans = documents.spans
        seen = [span.reach + span.length - 1 for span in spans]
        whole = all(span.reach == 1 and span.query == span.key for span in spans)
        documents.plans["varlen"] = _Plan(
            _cumulative([span.length for span in spans], documents.device),
            _cumulative(seen, documents.device),
            max(seen),
            None if whole else moved(_spread(spans, seen), documents.device),
        )
    found = documents.plans["varlen"]
    assert isinstance(found, _Plan)
    return found


def _cumulative(lengths: list[int], device: torch.device) -> Tensor:
    return moved(torch.tensor([0, *lengths]).cumsum(0).to(torch.int32), device)


def _spread(spans: Sequence[Span], seen: Sequence[int]) -> Tensor:
    """Indices of the keys that the spans see, span by span."""
    return torch.cat([torch.arange(span.key, span.key + number) for span, number in zip(spans, seen, strict=True)])


@cache
def _takes_groups() -> bool:
    from torch.nn.attention.varlen import varlen_attn

    return "enable_gqa" in inspect.signature(varlen_attn).parameters
