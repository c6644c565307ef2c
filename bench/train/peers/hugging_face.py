"""Hugging Face `Trainer` with `CwmForCausalLM`: its own loop, optimiser and mixed precision, fed in one of three layouts.

`flat`     documents end to end as one sequence, `DataCollatorWithFlattening`: positions start anew at each, from which the model
           makes its mask.
`rows`     rows of equal length, each filled with whole documents (first-fit decreasing over a pool), positions as above.
`padded`   documents of like length as a batch, padded to the longest, at most `micro` tokens with the padding; pools of fifty
           steps sorted by length, as `group_by_length` does. Without a mask: padding stands on the right, where causal
           attention never looks, and is not predicted.

Batches are put together beforehand, so that the `Trainer` only loads them.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from task import Task
from torch import Tensor
from traces import Document, read
from transformers import CwmConfig, CwmForCausalLM, DataCollatorWithFlattening, Trainer, TrainerCallback, TrainingArguments

IGNORED = -100
POOL = 50
"""Optimiser steps whose documents are sorted, or packed, together."""
Features = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How it trains."""

    layout: str = "padded"
    attention: str = "sdpa"
    row: int = 2048
    """Tokens of a row, where the layout is `rows`."""
    micro: int = 8192
    """Tokens of a forward pass, padding included; gradients are accumulated over the passes of a step."""
    mask: bool = False
    """Of padding, where the layout is `padded`."""
    multiple: int = 8
    """Padded lengths are multiples of this."""
    compile: bool = False
    weights: str = "float32"
    """Also of the optimiser. In bfloat16 nothing keeps small updates: another, worse training, for comparison."""
    workers: int = 0
    optimizer: str = "adamw_torch_fused"


def run(task: Task) -> dict[str, Any]:
    """Trains; returns what it measured besides time."""
    settings = Settings(**task.settings)
    torch.manual_seed(task.seed)
    model = CwmForCausalLM._from_config(
        CwmConfig(**task.model.to_dict(), use_cache=False),
        attn_implementation=settings.attention,
        dtype=getattr(torch, settings.weights),
    )
    documents = read(task.data, task.seed)
    batches = list(_batches(documents, task.tokens, settings))
    callback = _Timer(task)
    with tempfile.TemporaryDirectory() as folder:
        trainer = _Counted(
            model=model,
            args=_arguments(task, settings, folder),
            train_dataset=batches,
            data_collator=_flattened if settings.layout == "flat" else _tensors,
            callbacks=[callback],
        )
        callback.trainer = trainer
        state = trainer.train()
    real, padded = (sum(b[name] for b in batches) for name in ("document_tokens", "padded_tokens"))
    return {"loss": state.training_loss, "padding": 1 - real / padded, "parameters": model.num_parameters()}


def _arguments(task: Task, settings: Settings, folder: str) -> TrainingArguments:
    return TrainingArguments(
        output_dir=folder,
        max_steps=1 << 20,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=max(1, task.tokens // settings.micro),
        learning_rate=1e-3,
        weight_decay=0.1,
        adam_beta2=0.95,
        max_grad_norm=1.0,
        lr_scheduler_type="constant",
        optim=settings.optimizer,
        train_sampling_strategy="sequential",
        bf16=settings.weights == "float32",
        torch_compile=settings.compile,
        use_cpu=task.device == "cpu",
        dataloader_num_workers=settings.workers,
        dataloader_pin_memory=task.device == "cuda",
        remove_unused_columns=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


class _Counted(Trainer):
    """Counts the tokens of documents that a step sees; they do not go to the model."""

    document_tokens = 0

    def training_step(self, model: Any, inputs: Features, num_items_in_batch: Any = None) -> Tensor:
        self.document_tokens += inputs.pop("document_tokens")
        loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        return loss


class _Timer(TrainerCallback):
    """Tells the clock of every optimiser step and ends the run."""

    trainer: _Counted

    def __init__(self, task: Task) -> None:
        self.clock = task.clock

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> Any:
        control.should_training_stop = self.clock.step(self.trainer.document_tokens)
        self.trainer.document_tokens = 0
        return control


def _batches(documents: list[Document], tokens: int, settings: Settings) -> Iterator[Features]:
    """Forward passes, in the order in which they are to be made."""
    layout = {"flat": _flat, "rows": _rows, "padded": _padded}[settings.layout]
    queue = iter(documents)
    while pool := _take(queue, POOL * tokens):
        batches = list(layout(pool, settings))
        yield from (batches[index] for index in _spread(len(batches)))


def _spread(count: int) -> NDArray[np.int64]:
    """Places in an order in which any few that follow one another are spread evenly (multiples of the golden ratio).

    A short measurement then sees short documents and long ones as often as a long one does.
    """
    return (np.arange(count) * (5**0.5 - 1) / 2 % 1).argsort().argsort()


def _take(documents: Iterator[Document], tokens: int) -> list[Document]:
    taken: list[Document] = []
    count = 0
    while count < tokens and (more := list(islice(documents, 1))):
        taken += more
        count += more[0].size
    return taken


def _flat(pool: list[Document], settings: Settings) -> Iterator[Features]:
    for group in _first_fit(pool, settings.micro):
        size = sum(d.size for d in group)
        features = [{"input_ids": d.tokens.tolist(), "labels": _labels(d).tolist()} for d in group]
        yield {"features": features, "document_tokens": size, "padded_tokens": size}


def _rows(pool: list[Document], settings: Settings) -> Iterator[Features]:
    rows = _first_fit(pool, settings.row)
    for start in range(0, len(rows), settings.micro // settings.row):
        group = rows[start : start + settings.micro // settings.row]
        batch = _blank(len(group), settings.row)
        for number, row in enumerate(group):
            at = 0
            for document in row:
                _put(batch, number, at, document)
                at += document.size
        yield batch


def _padded(pool: list[Document], settings: Settings) -> Iterator[Features]:
    group: list[Document] = []
    for document in sorted(pool, key=lambda d: d.size):
        width = -(-document.size // settings.multiple) * settings.multiple
        if group and width * (len(group) + 1) > settings.micro:
            yield _padded_batch(group, settings)
            group = []
        group.append(document)
    yield _padded_batch(group, settings)


def _padded_batch(group: list[Document], settings: Settings) -> Features:
    width = -(-max(d.size for d in group) // settings.multiple) * settings.multiple
    batch = _blank(len(group), width)
    for number, document in enumerate(group):
        _put(batch, number, 0, document)
    del batch["position_ids"]
    if settings.mask:
        sizes = np.array([d.size for d in group])
        batch["attention_mask"] = (np.arange(width)[None] < sizes[:, None]).astype(np.int64)
    return batch


def _blank(rows: int, width: int) -> Features:
    """A batch of padding; what follows a row's last document is a document of its own."""
    return {
        "input_ids": np.zeros((rows, width), np.int64),
        "labels": np.full((rows, width), IGNORED, np.int64),
        "position_ids": np.tile(np.arange(width), (rows, 1)),
        "document_tokens": 0,
        "padded_tokens": rows * width,
    }


def _put(batch: Features, row: int, at: int, document: Document) -> None:
    end = at + document.size
    batch["input_ids"][row, at:end] = document.tokens
    batch["labels"][row, at:end] = _labels(document)
    batch["position_ids"][row, at:] = np.arange(batch["input_ids"].shape[1] - at)
    batch["document_tokens"] += document.size


def _labels(document: Document) -> NDArray[np.int64]:
    """What to predict at each place: nothing of the prompt."""
    labels = np.where(document.predicted, document.tokens, IGNORED)
    labels[0] = IGNORED
    return labels


def _first_fit(pool: list[Document], size: int) -> list[list[Document]]:
    """Bins of whole documents, the longest first; one that is longer than a bin is cropped to it."""
    bins: list[list[Document]] = []
    room: list[int] = []
    for document in sorted(pool, key=lambda d: d.size, reverse=True):
        document = Document(document.tokens[:size], document.predicted[:size])
        place = next((i for i, free in enumerate(room) if free >= document.size), None)
        if place is None:
            bins.append([])
            room.append(size)
            place = len(bins) - 1
        bins[place].append(document)
        room[place] -= document.size
    return bins


def _tensors(items: list[Features]) -> Features:
    """The batch that an item is, as tensors."""
    known = {name: torch.from_numpy(x) for name, x in items[0].items() if isinstance(x, np.ndarray)}
    return known | {"document_tokens": items[0]["document_tokens"]}


def _flattened(items: list[Features]) -> Features:
    """The documents of an item end to end."""
    batch: Features = DataCollatorWithFlattening()(items[0]["features"])
    return batch | {"document_tokens": items[0]["document_tokens"]}
