"""Attention on a CPU, one layer forward and backward, by backend; one JSON line: `python bench/train/attention.py`.

Beside this package's backends: `fused`, torch's own causal kernel, one document at a time (it knows no window). Milliseconds are the
best of some rounds, in which the backends take turns, for others may use the machine. A backward pass counts as 2.5 forward passes,
as it computes the scores again; only what a query may see is counted.
"""

import argparse
import json
import random
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from foretrace.model.attention import backend
from foretrace.model.documents import Documents

TOKENS = 8192
SETTINGS = {
    "1M": (4, 2, 32, 900),
    "10M": (5, 1, 64, 900),
    "12M": (4, 2, 64, 900),
    "30M": (8, 4, 64, 2000),
}
"""Query heads, key heads, head_dim and the longest document of a model of so many parameters."""
WINDOWS = (512, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", default="native,sdpa-block,fused,dense")
    parser.add_argument("--settings", default=",".join(SETTINGS))
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    results: dict[str, Any] = {"tokens": TOKENS, "threads": options.threads, "torch": torch.__version__}
    for setting in options.settings.split(","):
        for window in WINDOWS:
            results[f"{setting} {window or 'global'}"] = compare(
                options.backends.split(","), setting, window, options.rounds
            )
    print(json.dumps(results))


def compare(names: list[str], setting: str, window: int | None, rounds: int) -> dict[str, Any]:
    """By backend: milliseconds and GFLOP/s, forward and backward."""
    heads, key_heads, dim, longest = SETTINGS[setting]
    lengths = document_lengths(longest)
    inputs = [torch.randn(TOKENS, h, dim).bfloat16().transpose(0, 1).requires_grad_() for h in (heads, key_heads, key_heads)]
    upstream = torch.randn(TOKENS, heads, dim).bfloat16().transpose(0, 1)
    attends = {name: attention(name, lengths, window) for name in names if name != "fused" or window is None}
    best = {name: [float("inf")] * 2 for name in attends}
    for _ in range(rounds):
        for name, attend in attends.items():
            best[name] = [min(a, b) for a, b in zip(best[name], seconds(attend, inputs, upstream), strict=True)]
    work = 4e-9 * dim * heads * sum(sum(min(i + 1, window or n) for i in range(n)) for n in lengths)
    return {
        name: {"ms": [round(1000 * x, 2) for x in (there, back)], "gflops": [round(work / there), round(2.5 * work / back)]}
        for name, (there, back) in best.items()
    }


def document_lengths(longest: int) -> list[int]:
    """Documents from 200 tokens to the longest, TOKENS together."""
    rng, lengths = random.Random(0), []
    while sum(lengths) < TOKENS:
        lengths.append(min(rng.randint(200, longest), TOKENS - sum(lengths)))
    return lengths


def attention(name: str, lengths: list[int], window: int | None) -> Callable[..., Tensor]:
    if name == "fused":
        return lambda q, k, v: torch.cat(
            [fused(*x) for x in zip(*(y.split(lengths, 1) for y in (q, k, v)), strict=True)], dim=1
        )
    documents, attend = Documents.of(lengths), backend(name)
    return lambda q, k, v: attend(q, k, v, documents, window)


def fused(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True, enable_gqa=True)[0]


def seconds(attend: Callable[..., Tensor], inputs: list[Tensor], upstream: Tensor) -> tuple[float, float]:
    """Forward and backward."""
    begun = time.perf_counter()
    out = attend(*inputs)
    there = time.perf_counter()
    torch.autograd.grad(out, inputs, upstream)
    return there - begun, time.perf_counter() - there


if __name__ == "__main__":
    main()
