"""Muon (https://kellerjordan.github.io/posts/muon) for many matrices at a time, and for matrices that are spread over ranks.

torch's `Muon` orthogonalises one matrix after the other: some 40 kernels for each, which a GPU spends more time starting
than computing in a small model. Here matrices of one shape are one batch. And of distributed matrices torch computes all on
every rank; here the ranks take turns: an update is gathered, one rank orthogonalises it, and all take their parts of the
result. State and result are torch's, with `adjust_lr_fn="match_rms_adamw"`: updates have the root mean square of AdamW's
(arXiv:2502.16982, section 2.2).

    optimizer = Muon(matrices, lr=3e-4, weight_decay=0.1)
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist
from torch.distributed.tensor import DTensor, distribute_tensor

from foretrace.train.sharding import whole

Group = dict[str, Any]


class Muon(torch.optim.Muon):
    """`torch.optim.Muon`, matrices of the same shape together."""

    def __init__(self, matrices: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(list(matrices), lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step; `closure`, if there is one, computes the loss first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            matrices = [matrix for matrix in group["params"] if matrix.grad is not None]
            for together in self._batches(matrices):
                self._step_together(together, group)
        return loss

    def _batches(self, matrices: list[Tensor]) -> Iterable[list[Tensor]]:
        by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
        for matrix in matrices:
            by_shape[matrix.shape].append(matrix)
        return by_shape.values()

    def _step_together(self, matrices: list[Tensor], group: Group) -> None:
        changes = _orthogonal(torch.stack([self._momentum(matrix, group) for matrix in matrices]), group)
        torch._foreach_mul_(matrices, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(matrices, list(changes.unbind()), alpha=group["lr"])

    def _momentum(self, matrix: Tensor, group: Group) -> Tensor:
        """The update before it is orthogonalised."""
        state, gradient = self.state[matrix], matrix.grad
        assert gradient is not None
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        buffer: Tensor = state["momentum_buffer"]
        buffer.lerp_(gradient, 1 - group["momentum"])
        return gradient.lerp(buffer, group["momentum"]) if group["nesterov"] else buffer


class ShardedMuon(Muon):
    """The same for distributed matrices; all ranks must step together."""

    def _batches(self, matrices: list[Tensor]) -> Iterable[list[Tensor]]:
        """As many matrices as there are ranks at most."""
        ranks = dist.get_world_size()
        return [matrices[start : start + ranks] for start in range(0, len(matrices), ranks)]

    def _step_together(self, matrices: list[Tensor], group: Group) -> None:
        """The n-th matrix is rank n's."""
        own = torch.empty(0)
        for owner, matrix in enumerate(matrices):
            update = whole(self._momentum(matrix, group))
            if owner == dist.get_rank():
                own = _orthogonal(update[None], group)[0]
        for owner, matrix in enumerate(matrices):
            assert isinstance(matrix, DTensor)
            change = own if owner == dist.get_rank() else torch.empty(matrix.shape, device=matrix.device)
            dist.broadcast(change, src=owner)
            matrix.mul_(1 - group["lr"] * group["weight_decay"])
            part = distribute_tensor(change, matrix.device_mesh, matrix.placements, src_data_rank=None)
            matrix.add_(part, alpha=group["lr"])


def _orthogonal(updates: Tensor, group: Group) -> Tensor:
    """Nearly orthogonal matrices in the directions of `updates`, by Newton and Schulz's iteration in bfloat16.

    Args:
        updates: (B, m, n).
        group: with the iteration's `ns_coefficients`, `ns_steps` and `eps`.

    Returns:
        (B, m, n) float32: what to add at a learning rate of 1.

    """
    a, b, c = group["ns_coefficients"]
    tall = updates.shape[1] > updates.shape[2]
    x = updates.bfloat16()
    x = x.mT if tall else x
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=group["eps"])
    for _ in range(group["ns_steps"]):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    x = x.mT if tall else x
    return x.float().mul_(-0.2 * max(updates.shape[1:]) ** 0.5).contiguous()
