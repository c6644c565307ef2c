"""The optimisers: AdamW for everything, or Muon for the matrices of the layers and AdamW for the rest.

Muon's updates are scaled to AdamW's root mean square (`muon.py`), so that one learning rate serves both. Measured:
`docs/training.md`, section 3.
"""

from collections.abc import Iterable

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from foretrace.errors import UsageError
from foretrace.train.config import Optimizer
from foretrace.train.muon import Muon, ShardedMuon


def make_optimizers(model: nn.Module, config: Optimizer, lr: float) -> list[torch.optim.Optimizer]:
    """One or two optimisers that together hold every parameter that is trained once.

    Raises:
        UsageError: its name is neither `adamw` nor `muon`.

    """
    if config.name not in ("adamw", "muon"):
        raise UsageError(f"no optimizer called {config.name!r}; known: adamw, muon")
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    matrices = [n for n, p in parameters.items() if config.name == "muon" and p.dim() == 2 and ".layers." in n]
    rest = {n: p for n, p in parameters.items() if n not in set(matrices)}
    decayed = [p for p in rest.values() if p.dim() == 2]
    plain = [p for p in rest.values() if p.dim() != 2]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=lr, betas=config.betas, fused=True)]
    if matrices:
        chosen = [parameters[n] for n in matrices]
        kind = ShardedMuon if isinstance(chosen[0], DTensor) else Muon
        optimizers.append(kind(chosen, lr=lr, weight_decay=config.weight_decay))
    return optimizers


def set_learning_rate(optimizers: Iterable[torch.optim.Optimizer], lr: float) -> None:
    """Sets the learning rate of every group."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = lr
