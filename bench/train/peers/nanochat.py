"""A trainer in the style of nanochat (github.com/karpathy/nanochat), with its own model and optimiser, from a checkout of it.

Its `GPT` has no SwiGLU but squared ReLU, norms of queries and keys, value embeddings, a soft cap of logits, and no document mask: rows
begin with a document, filled by best fit, and the last one of a row is cropped. Width, depth, heads and head size are those of the
shape; without a gate its MLP is four widths, which makes parameters equal within some percent. Its window is a quarter of the row
(pattern S) or none (L). The loop is that of its `base_train`: fixed row length, `torch.compile`, weights in float32 cast where they are
used and embeddings in bfloat16, no clipping of gradients, no garbage collection while it runs. With `optimizer="adamw"` the optimiser
is torch's fused AdamW, the same as the others' in the table; `muon` is nanochat's own.
"""

import gc
import os
import sys
from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import torch
from task import Task
from torch import Tensor
from traces import Document, read

BUFFER = 1000
"""Documents that the best fit is chosen from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How it trains."""

    row: int = 2048
    micro: int = 8192
    """Tokens of a forward pass; gradients are accumulated over the passes of a step."""
    pattern: str = "L"
    compile: bool = True
    optimizer: str = "adamw"
    kv_heads: str = "shape"
    """`shape`: as the shape has; `all`: as many as queries, which is nanochat's default."""


def run(task: Task) -> dict[str, Any]:
    """Trains; returns what it measured besides time."""
    settings = Settings(**task.settings)
    torch.manual_seed(task.seed)
    if task.device == "cuda":
        torch.set_float32_matmul_precision("high")
    model = _model(task, settings)
    optimizer = _optimizer(model, settings)
    forward = torch.compile(model, dynamic=False) if settings.compile else model
    rows = _Rows(read(task.data, task.seed), settings, task.device)
    passes = max(1, task.tokens // settings.micro)
    enough, first = False, True
    inputs, targets = next(rows)
    while not enough:
        for _ in range(passes):
            loss = forward(inputs, targets)
            (loss / passes).backward()
            inputs, targets = next(rows)
        optimizer.step()
        model.zero_grad(set_to_none=True)
        value = loss.item()
        enough = task.clock.step(passes * inputs.numel())
        if first:
            gc.collect()
            gc.freeze()
            gc.disable()
            first = False
    parameters = sum(p.numel() for p in model.parameters())
    return {"loss": value, "cropped": rows.cropped / rows.served, "parameters": parameters}


def _model(task: Task, settings: Settings) -> Any:
    """Its model, of the shape."""
    if task.checkout is None:
        raise SystemExit("nanochat is no package: give a checkout of it with --nanochat")
    sys.path.insert(0, str(task.checkout))
    os.environ["NANOCHAT_DTYPE"] = "bfloat16"
    from nanochat.gpt import GPT, GPTConfig

    shape = task.model
    heads = shape.num_attention_heads
    config = GPTConfig(
        sequence_len=settings.row,
        vocab_size=shape.vocab_size,
        n_layer=shape.num_hidden_layers,
        n_head=heads,
        n_kv_head=shape.num_key_value_heads if settings.kv_heads == "shape" else heads,
        n_embd=shape.hidden_size,
        window_pattern=settings.pattern,
    )
    with torch.device("meta"):
        model = GPT(config)
    model.to_empty(device=task.device)
    model.init_weights()
    return model


def _optimizer(model: Any, settings: Settings) -> torch.optim.Optimizer:
    if settings.optimizer == "muon":
        own: torch.optim.Optimizer = model.setup_optimizer()
        return own
    return torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)


class _Rows(Iterator[tuple[Tensor, Tensor]]):
    """Inputs and targets, (rows, tokens) int64 each, in the manner of nanochat's loader.

    A row is filled with the longest buffered document that fits until none does, then with the beginning of the shortest one.
    """

    def __init__(self, documents: list[Document], settings: Settings, device: str) -> None:
        self.row, self.rows, self.device = settings.row, settings.micro // settings.row, device
        self.source = cycle(documents)
        self.buffer: list[tuple[int, int, Any]] = []
        self.number = self.served = self.cropped = 0

    def __next__(self) -> tuple[Tensor, Tensor]:
        rows = torch.stack([self._next_row() for _ in range(self.rows)])
        if self.device == "cuda":
            rows = rows.pin_memory()
        return (
            rows[:, :-1].contiguous().to(self.device, non_blocking=True),
            rows[:, 1:].contiguous().to(self.device, non_blocking=True),
        )

    def _next_row(self) -> Tensor:
        row = torch.empty(self.row + 1, dtype=torch.int64)
        at = 0
        while at < len(row):
            self._refill()
            room = len(row) - at
            place = bisect_right(self.buffer, room, key=lambda entry: entry[0]) - 1
            tokens = self.buffer.pop(max(place, 0))[2]
            size = min(len(tokens), room)
            row[at : at + size] = torch.from_numpy(tokens[:size])
            self.served += len(tokens)
            self.cropped += len(tokens) - size
            at += size
        return row

    def _refill(self) -> None:
        while len(self.buffer) < BUFFER:
            tokens = next(self.source).tokens
            self.number += 1
            insort(self.buffer, (len(tokens), self.number, tokens))
