"""Attention, forward and backward, in milliseconds: ours, torch's kernel per document, one dense mask. One JSON line."""

import json
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from foretrace.model.attention import attend, dense_reference

LENGTHS = (400, 500, 450, 600, 300, 700, 350, 500)
WINDOW = 256


def fused(q: Tensor, k: Tensor, v: Tensor, lengths: tuple[int, ...], window: int | None) -> Tensor:
    """Torch's fused causal kernel, one document at a time; it knows no window."""
    pieces = zip(q.split(lengths, 1), k.split(lengths, 1), v.split(lengths, 1), strict=True)
    outs = [F.scaled_dot_product_attention(*(x[None] for x in p), is_causal=True, enable_gqa=True)[0] for p in pieces]
    return torch.cat(outs, dim=1)


def milliseconds(function: Callable[..., Tensor], window: int | None) -> float:
    """Best of three."""
    q, k, v = (torch.randn(h, sum(LENGTHS), 64, dtype=torch.bfloat16, requires_grad=True) for h in (4, 2, 2))
    times = []
    for _ in range(4):
        started = time.perf_counter()
        function(q, k, v, LENGTHS, window).sum().backward()
        times.append(time.perf_counter() - started)
    return round(1000 * min(times[1:]), 1)


def main() -> None:
    results: dict[str, object] = {"tokens": sum(LENGTHS), "threads": torch.get_num_threads()}
    for name, function in (("chunks", attend), ("fused", fused), ("dense", dense_reference)):
        for kind, window in (("global", None), (f"window {WINDOW}", WINDOW)):
            results[f"{name}, {kind}"] = milliseconds(function, window)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
