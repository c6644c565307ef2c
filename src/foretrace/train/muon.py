"""Muon for matrices that are spread over ranks: each rank orthogonalises some of them, whole.

torch's `Muon` computes distributed matrices correctly, but all of every matrix on every rank. Here the ranks take
turns: a matrix's update is gathered, one rank orthogonalises it, and all take their parts of the result. State and
result are torch's.

    optimizer = ShardedMuon(matrices, lr=3e-4, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.tensor import DTensor, distribute_tensor

from foretrace.train.sharding import whole


class ShardedMuon(torch.optim.Muon):
    """`torch.optim.Muon` of distributed matrices; all ranks must step together."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step; `closure`, if there is one, computes the loss first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            matrices = [matrix for matrix in group["params"] if matrix.grad is not None]
            for start in range(0, len(matrices), dist.get_world_size()):
                self._step_together(matrices[start : start + dist.get_world_size()], group)
        return loss

    def _step_together(self, matrices: list[DTensor], group: dict[str, Any]) -> None:
        """Steps as many matrices as there are ranks at most; the n-th is rank n's."""
        own = torch.empty(0)
        for owner, matrix in enumerate(matrices):
            update = whole(self._momentum(matrix, group))
            if owner == dist.get_rank():
                own = _orthogonal(update, group)
        for owner, matrix in enumerate(matrices):
            change = own if owner == dist.get_rank() else torch.empty(matrix.shape, device=matrix.device)
            dist.broadcast(change, src=owner)
            matrix.mul_(1 - group["lr"] * group["weight_decay"])
            part = distribute_tensor(change, matrix.device_mesh, matrix.placements, src_data_rank=None)
            matrix.add_(part, alpha=group["lr"])

    def _momentum(self, matrix: DTensor, group: dict[str, Any]) -> Tensor:
        """The update before it is orthogonalised."""
        state, gradient = self.state[matrix], matrix.grad
        assert gradient is not None
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        buffer: Tensor = state["momentum_buffer"]
        buffer.lerp_(gradient, 1 - group["momentum"])
        return gradient.lerp(buffer, group["momentum"]) if group["nesterov"] else buffer


def _orthogonal(update: Tensor, group: dict[str, Any]) -> Tensor:
    """What torch's Muon adds to a matrix at a learning rate of 1."""
    matrix = nn.Parameter(torch.zeros_like(update))
    matrix.grad = update
    same = {name: group[name] for name in ("ns_coefficients", "ns_steps", "eps", "adjust_lr_fn")}
    plain: dict[str, Any] = {"lr": 1.0, "weight_decay": 0.0, "momentum": 0.0, "nesterov": False}
    optimizer: torch.optim.Optimizer = torch.optim.Muon([matrix], **plain, **same)
    optimizer.step()
    return matrix.detach()
