"""foretrace's own trainer: the loop that `foretrace train` runs, on the shards that it reads, with its metrics written every step."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import traces
from task import Task

from foretrace.data.mixture import Mixture, Source
from foretrace.train.config import Hardware, Optimizer, TrainConfig
from foretrace.train.trainer import Trainer

NEVER = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How it trains."""

    row: int = 8192
    """Most tokens of a row, which is what a forward pass takes; gradients are accumulated over the rows of a step."""
    optimizer: str = "adamw"
    attention: str = "auto"
    compile: bool = True
    pad: bool = False
    """Fill rows up, so that kernels are compiled for one shape."""


class _Enough(Exception):
    """Ends a run from within its report."""


def run(task: Task) -> dict[str, Any]:
    """Trains; returns what it measured besides time."""
    seen = 0
    last: dict[str, Any] = {}

    def report(record: dict[str, Any]) -> None:
        nonlocal seen, last
        step, seen, last = record["tokens"] - seen, record["tokens"], record
        if task.clock.step(step):
            raise _Enough

    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(task.model, traces.tokenizer(), _config(task, Path(folder)), report)
        try:
            trainer.run()
        except _Enough:
            return {"loss": last["loss"], "parameters": trainer.model.num_parameters()}
    raise AssertionError("the clock never said that it was enough")


def _config(task: Task, out: Path) -> TrainConfig:
    settings = Settings(**task.settings)
    row = min(settings.row, task.tokens)
    source = Source(name="traces", folder=task.data)
    rows = task.tokens // row
    return TrainConfig(
        mixture=Mixture(sources=(source,), tokens_per_row=row, rows_per_batch=rows, seed=task.seed, pad_rows=settings.pad),
        out=out,
        steps=NEVER,
        optimizer=Optimizer(name=settings.optimizer),
        hardware=Hardware(device=task.device, dtype="bfloat16", attention=settings.attention, compile=settings.compile),
        seed=task.seed,
        log_every=1,
        save_every=NEVER,
        validate_every=NEVER,
    )
