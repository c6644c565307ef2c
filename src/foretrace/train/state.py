"""The state of a run on disk: weights, optimiser moments and the loader's place, enough to resume to the bit.

One folder `state/` with two files, written under a temporary name and exchanged by rename: `tensors.safetensors` and
`state.json`. No pickle.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from foretrace.errors import CheckpointError


def save_state(folder: Path, model: nn.Module, optimizers: list[torch.optim.Optimizer], progress: dict[str, Any]) -> None:
    """Writes the state; a run killed while writing keeps the previous one.

    Args:
        progress: JSON values that the caller needs to go on, such as the step and the loader's state.

    """
    tensors = {f"model.{name}": t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    for number, optimizer in enumerate(optimizers):
        for index, moments in optimizer.state_dict()["state"].items():
            for key, value in moments.items():
                tensors[f"optimizer.{number}.{index}.{key}"] = torch.as_tensor(value).cpu().contiguous()
    fresh, old = folder.with_suffix(".new"), folder.with_suffix(".old")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    save_file(tensors, fresh / "tensors.safetensors")
    (fresh / "state.json").write_text(json.dumps(progress), encoding="utf-8")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def load_state(
    folder: Path, model: nn.Module, optimizers: list[torch.optim.Optimizer], device: torch.device
) -> dict[str, Any] | None:
    """Restores model and optimisers; returns the progress, or None if there is no state to resume from.

    Raises:
        CheckpointError: the state is damaged or was written by a run of another shape.

    """
    for candidate in (folder, folder.with_suffix(".new"), folder.with_suffix(".old")):
        if (candidate / "state.json").exists():
            try:
                tensors = load_file(candidate / "tensors.safetensors", device=str(device))
                progress: dict[str, Any] = json.loads((candidate / "state.json").read_text(encoding="utf-8"))
                model.load_state_dict(_part(tensors, "model."))
                for number, optimizer in enumerate(optimizers):
                    _restore(optimizer, _part(tensors, f"optimizer.{number}."))
            except Exception as error:  # safetensors, JSON and torch each raise their own
                what = f"cannot resume from {candidate}: {error}"
                raise CheckpointError(f"{what}; use another folder, or delete this one to start anew") from error
            return progress
    return None


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _restore(optimizer: torch.optim.Optimizer, moments: dict[str, Tensor]) -> None:
    """Puts moments named `index.key` back; learning rates come from the schedule."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in moments.items():
        index, key = name.split(".")
        state.setdefault(int(index), {})[key] = tensor.cpu() if key == "step" else tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
