"""One of several processes that run the cases of `test_parallel.py`: `parallel_worker.py FOLDER CASES`, a JSON list.

Each process writes what became of each case to `FOLDER/CASE.RANK.json`.
"""

import errno
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tiny_run import TOKENIZER

from foretrace.data.mixture import Mixture, Source
from foretrace.errors import ForetraceError, FormatError
from foretrace.model.config import ModelConfig
from foretrace.train.config import Hardware, Jepa, Optimizer, Parallel, TrainConfig
from foretrace.train.schedule import Schedule
from foretrace.train.trainer import Trainer

MODEL = ModelConfig(
    vocab_size=648,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=3,  # the first sees whole documents, the others a window
    num_attention_heads=8,
    num_key_value_heads=4,
    head_dim=8,
    max_position_embeddings=64,
    sliding_window=8,
)
STEPS = 6


def config_of(folder: Path, out: str, parallel: dict[str, int], **options: Any) -> TrainConfig:
    """Six steps of three rows, which two or four ranks cannot share evenly."""
    sources = tuple(Source(name=name, folder=folder / name) for name in options.pop("sources", ("first", "second")))
    jepa = options.pop("jepa", None)
    hardware = {"device": "cpu", "dtype": "float32", "attention": "sdpa-block"} | options.pop("hardware", {})
    config = TrainConfig(
        mixture=Mixture(sources=sources, tokens_per_row=options.pop("row", 63), rows_per_batch=3),
        validation=folder / "validation",
        out=folder / out,
        steps=STEPS,
        schedule=Schedule(lr=1e-3, warmup_steps=2, decay_steps=2),
        optimizer=Optimizer(name=options.pop("optimizer", "adamw")),
        hardware=Hardware(**hardware),
        parallel=Parallel(**parallel),
        jepa=Jepa(**jepa) if jepa else None,
        log_every=1,
        save_every=100,
        validate_every=3,
    )
    return replace(config, **options)


def model_of(options: dict[str, Any]) -> ModelConfig:
    return replace(MODEL, **options.pop("model", {}))


def trainer_of(folder: Path, case: dict[str, Any], kind: type[Trainer] = Trainer) -> Trainer:
    options = dict(case.get("options", {}))
    model = model_of(options)
    return kind(model, TOKENIZER, config_of(folder, case["out"], case["parallel"], **options))


# ---------------------------------------------------------------------------------------------------
# What a case does


def train(folder: Path, case: dict[str, Any]) -> int:
    trainer = trainer_of(folder, case)
    trainer.run()
    return trainer.step


def some_steps(folder: Path, case: dict[str, Any]) -> int:
    """Goes on for two steps, and saves."""
    trainer = trainer_of(folder, case)
    for _ in range(2):
        trainer.advance()
    trainer.save()
    trainer.batches.close()
    return trainer.step


class Signalled(Trainer):
    """The second process is asked to stop."""

    def advance(self) -> None:
        super().advance()
        if self.step == 2 and RANK == 1:
            os.kill(os.getpid(), signal.SIGTERM)


class Poisoned(Trainer):
    """A number of the second process's gradients is none."""

    def _accumulate(self, rows: Any) -> Any:
        loss = super()._accumulate(rows)
        if self.step == 2 and RANK == 1:
            gradient: Any = self.parameters["model.norm.weight"].grad
            gradient.to_local()[0] = torch.nan
        return loss


class Lost(Trainer):
    """The second process fails on its own."""

    def _next_rows(self) -> Any:
        if self.step == 2 and RANK == 1:
            raise FormatError("shard 7 is damaged")
        return super()._next_rows()


def signalled(folder: Path, case: dict[str, Any]) -> int:
    return trainer_of(folder, case, Signalled).run() and 0


def poisoned(folder: Path, case: dict[str, Any]) -> int:
    return trainer_of(folder, case, Poisoned).run() and 0


def lost(folder: Path, case: dict[str, Any]) -> int:
    return trainer_of(folder, case, Lost).run() and 0


def full_disk(folder: Path, case: dict[str, Any]) -> int:
    """The second process has no room for its part of the state."""
    trainer = trainer_of(folder, case)
    trainer.advance()
    trainer.save()
    trainer.advance()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with patched(os, "fsync", full, RANK == 1):
        trainer.save()
    return 0


def full_disk_of_the_first(folder: Path, case: dict[str, Any]) -> int:
    """The first process has room for the state, but not for the checkpoint."""
    trainer = trainer_of(folder, case)
    trainer.advance()
    with patched(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, 0), RANK == 0):  # type: ignore[attr-defined]
        trainer.save()
    return 0


class patched:  # noqa: N801 - reads as a verb
    def __init__(self, module: Any, name: str, value: Callable[..., Any], condition: bool) -> None:
        self.module, self.name, self.old = module, name, getattr(module, name)
        self.value = value if condition else self.old

    def __enter__(self) -> None:
        setattr(self.module, self.name, self.value)

    def __exit__(self, *_: object) -> None:
        setattr(self.module, self.name, self.old)


# ---------------------------------------------------------------------------------------------------

RANK = int(os.environ.get("RANK", "0"))


def main(folder: Path, cases: list[dict[str, Any]]) -> None:
    torch.set_num_threads(1)
    for case in cases:
        found: dict[str, Any] = {}
        try:
            found["step"] = globals()[case["does"]](folder, case)
        except ForetraceError as error:
            found = {"error": type(error).__name__, "message": str(error)}
        (folder / f"{case['out']}.{RANK}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
