"""The state of a run on disk: weights, optimiser moments and the loader's place, enough to resume to the bit.

A folder with `state.json` and a safetensors file of each rank, written by `torch.distributed.checkpoint`: a run goes on with
any number of ranks, and no rank holds more than its share. It is written under a temporary name and exchanged by rename: a
run killed at any instant leaves a whole state, the new one or the one before. No pickle.

    save_state(folder, parameters, optimizers, {"step": 200}, ranks)
    progress = load_progress(folder, ranks)                      # {"step": 200}
    load_tensors(folder, parameters, optimizers, ranks)
"""

import json
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.optim import Optimizer

from foretrace.errors import CheckpointError, ForetraceError, TrainingError
from foretrace.model.interchange import load_pretrained
from foretrace.train.ranks import Ranks

STATE = "state.json"
_MODEL, _OPTIMIZER = "model.", "optimizer."


def save_state(
    folder: Path,
    parameters: Mapping[str, Tensor],
    optimizers: Sequence[Optimizer],
    progress: Mapping[str, Any],
    ranks: Ranks,
) -> None:
    """Writes the state; all ranks must call it. A run killed while writing keeps the previous one.

    Args:
        folder: which all ranks can reach.
        parameters: of the model, by name.
        progress: JSON values that the caller needs to go on, such as the step and the loader's state.

    Raises:
        TrainingError: it could not be written, for want of space say; the previous one stands.

    """
    fresh, old = folder.with_suffix(".new"), folder.with_suffix(".old")
    tensors = _tensors(parameters, optimizers)
    try:
        with ranks.together():
            if ranks.first:
                shutil.rmtree(fresh, ignore_errors=True)
                fresh.mkdir(parents=True)
        with _quiet():
            writer = HuggingFaceStorageWriter(str(fresh), save_distributed=True)
            save(dict(tensors), storage_writer=writer, no_dist=ranks.size == 1)
        with ranks.together():
            if ranks.first:
                _seal(fresh, tensors, progress)
                _exchange(folder, fresh, old)
    except (OSError, ForetraceError, CheckpointException) as error:
        if ranks.first:
            shutil.rmtree(fresh, ignore_errors=True)
        what = f"cannot write the state of step {progress.get('step')} to {folder}: {_reason(error)}"
        raise TrainingError(f"{what}; make room and run the same command: it goes on from the last whole state") from error


def load_progress(folder: Path, ranks: Ranks) -> dict[str, Any] | None:
    """The progress of the newest whole state, None if there is none; all ranks must call it.

    Raises:
        CheckpointError: it is damaged, or files of it are missing.

    """
    contents = _contents(folder, ranks)
    return None if contents is None else contents["progress"]


def load_tensors(folder: Path, parameters: Mapping[str, Tensor], optimizers: Sequence[Optimizer], ranks: Ranks) -> None:
    """Restores weights and moments from the newest whole state; all ranks must call it.

    Raises:
        CheckpointError: there is none, it is damaged, or it is that of another model.

    """
    contents = _contents(folder, ranks)
    if contents is None:
        raise CheckpointError(f"no state of a run in {folder}")
    shapes: dict[str, list[int]] = contents["tensors"]
    _require_same(folder, parameters, {n.removeprefix(_MODEL): s for n, s in shapes.items() if n.startswith(_MODEL)})
    owners = [{name: p for name, p in parameters.items() if _owns(optimizer, p)} for optimizer in optimizers]
    moments = {name: shape for name, shape in shapes.items() if name.startswith(_OPTIMIZER)}
    tensors = {_MODEL + name: parameter for name, parameter in parameters.items()}
    try:
        for name, shape in moments.items():
            number, parameter, key = _split(name)
            tensors[name] = _room(owners[number][parameter], shape)
    except (IndexError, KeyError, ValueError) as error:
        raise CheckpointError(_damaged(folder, f"it has the moment {name}, which this optimiser has not")) from error
    _read(contents["folder"], tensors, ranks)
    for name in moments:
        number, parameter, key = _split(name)
        optimizers[number].state[owners[number][parameter]][key] = tensors[name]


def load_weights(folder: Path, parameters: Mapping[str, Tensor], ranks: Ranks) -> None:
    """Takes weights from a checkpoint folder, each rank its share; all ranks must call it.

    Raises:
        CheckpointError: the folder is damaged, or holds a model of another shape.

    """
    _, found = load_pretrained(folder)  # reads no weights, but checks that all are there
    _require_same(folder, parameters, {name: list(tensor.shape) for name, tensor in found.items()})
    _read(folder, parameters, ranks)


# ---------------------------------------------------------------------------------------------------
# Tensors


def _tensors(parameters: Mapping[str, Tensor], optimizers: Sequence[Optimizer]) -> dict[str, Tensor]:
    """Weights as `model.NAME`, moments as `optimizer.NUMBER.NAME.KEY`."""
    tensors = {_MODEL + name: parameter.detach() for name, parameter in parameters.items()}
    for number, optimizer in enumerate(optimizers):
        for name, parameter in parameters.items():
            for key, value in optimizer.state.get(parameter, {}).items():
                tensors[f"{_OPTIMIZER}{number}.{name}.{key}"] = torch.as_tensor(value)
    return tensors


def _split(name: str) -> tuple[int, str, str]:
    """Number, parameter and key of a moment."""
    number, _, rest = name.removeprefix(_OPTIMIZER).partition(".")
    parameter, _, key = rest.rpartition(".")
    return int(number), parameter, key


def _owns(optimizer: Optimizer, parameter: Tensor) -> bool:
    return any(parameter is own for group in optimizer.param_groups for own in group["params"])


def _room(parameter: Tensor, shape: Sequence[int]) -> Tensor:
    """Where a moment goes: distributed as its parameter, or a number that every rank has."""
    if tuple(parameter.shape) == tuple(shape):
        return torch.zeros_like(parameter, requires_grad=False)
    return torch.zeros(tuple(shape), device=parameter.device)


def _require_same(folder: Path, parameters: Mapping[str, Tensor], found: Mapping[str, Sequence[int]]) -> None:
    wanted = {name: list(parameter.shape) for name, parameter in parameters.items()}
    different = [name for name in sorted({*wanted, *found}) if wanted.get(name) != list(found.get(name, ()))]
    if different:
        name = different[0]
        what = f"{name} is {found.get(name, 'missing')} there and {wanted.get(name, 'missing')} here"
        raise CheckpointError(f"{folder} holds a model of another shape than this run's: {what}")


def _read(folder: Path, tensors: Mapping[str, Tensor], ranks: Ranks) -> None:
    """Fills tensors from the safetensors files of a folder, each rank its own parts of distributed ones."""
    try:
        with torch.no_grad(), _quiet():
            load(dict(tensors), storage_reader=HuggingFaceStorageReader(str(folder)), no_dist=ranks.size == 1)
    except CheckpointException as error:
        raise CheckpointError(_damaged(folder, _reason(error))) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warning that there is only one process."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled", UserWarning)
        yield


# ---------------------------------------------------------------------------------------------------
# Files


def _seal(folder: Path, tensors: Mapping[str, Tensor], progress: Mapping[str, Any]) -> None:
    """Writes the file that says that all others are whole."""
    contents = {
        "progress": dict(progress),
        "files": {file.name: file.stat().st_size for file in sorted(folder.iterdir())},
        "tensors": {name: list(tensor.shape) for name, tensor in tensors.items()},
    }
    with (folder / STATE).open("w", encoding="utf-8") as stream:
        json.dump(contents, stream)
        stream.flush()
        os.fsync(stream.fileno())


def _exchange(folder: Path, fresh: Path, old: Path) -> None:
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _contents(folder: Path, ranks: Ranks) -> dict[str, Any] | None:
    """What the first rank finds in `state.json`, and under `folder` where that was, on all ranks."""
    contents = None
    with ranks.together():
        if ranks.first:
            contents = _read_contents(folder)
    found: dict[str, Any] | None = ranks.from_first(contents)
    return found


def _read_contents(folder: Path) -> dict[str, Any] | None:
    whole = _whole_state(folder)
    if whole is None:
        return None
    try:
        contents: dict[str, Any] = json.loads((whole / STATE).read_text(encoding="utf-8"))
        for name, size in contents["files"].items():
            if (whole / name).stat().st_size != size:
                raise ValueError(f"{name} is cut short")
        _ = contents["progress"], contents["tensors"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(_damaged(whole, f"{error or type(error).__name__}")) from error
    return contents | {"folder": whole}


def _whole_state(folder: Path) -> Path | None:
    """The folder itself, or what a run that was killed while exchanging folders has left."""
    candidates = (folder, folder.with_suffix(".new"), folder.with_suffix(".old"))
    return next((c for c in candidates if (c / STATE).exists()), None)


def _damaged(folder: Path, why: str) -> str:
    return f"cannot resume from {folder}: {why}; use another folder, or delete this one to start anew"


def _reason(error: BaseException) -> str:
    """In one line; of what several ranks report, the first."""
    if isinstance(error, CheckpointException) and error.failures:
        rank, (failure, _) = sorted(error.failures.items())[0]
        return f"rank {rank}: {failure}"
    return str(error)
