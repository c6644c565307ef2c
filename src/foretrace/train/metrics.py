"""Losses of many tokens, summed up by source and by kind of token where they arise, read when they are wanted.

Nothing waits for the device until `read`: each call adds to a small table of sums that lives beside the losses, and
one collective joins the tables of all ranks. A mean is the sum of weight times loss over the sum of weights, over
everything since the last `read`.

    table = LossTable(("traces", "agents"), device)
    table.add(predicted.nll, row.weights, row.kinds, row.sources[row.owners], predicted.hits)
    table.read()    # {"loss": 0.41, "loss_by_source": {"traces": 0.38, …}, "loss_by_kind": {…}, …}
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from foretrace.data.kinds import Kind

KINDS = tuple(kind.name.lower() for kind in Kind)
"""Names of the kinds of token, by number."""
_WEIGHT, _LOSS, _JUDGED, _RIGHT = range(4)
"""Columns of the table: sums of weights, of weight times loss, of the weights of judged tokens, and of right ones."""


class LossTable:
    """Sums over tokens for each source and kind."""

    def __init__(self, sources: Sequence[str], device: torch.device | str = "cpu") -> None:
        """`sources`: names by number."""
        self.sources = tuple(sources)
        # sums of millions of tokens in float64, which only Apple's GPUs lack
        dtype = torch.float32 if torch.device(device).type == "mps" else torch.float64
        self._sums = torch.zeros(4, len(self.sources) * len(KINDS), dtype=dtype, device=device)

    @torch.no_grad()
    def add(self, nll: Tensor, weights: Tensor, kinds: Tensor, sources: Tensor, hits: Tensor | None = None) -> None:
        """Adds M tokens.

        Args:
            nll: (M,) floating: negative log-likelihood of each, in nats.
            weights: (M,) floating: of each in the loss.
            kinds: (M,) integers: `Kind` of each.
            sources: (M,) integers: index into the names of the sources.
            hits: (M,) bool: whether the true token was the likeliest; without them there is no accuracy.

        """
        cells = sources.long() * len(KINDS) + kinds.long()
        weights = weights.to(self._sums.dtype)
        self._sums[_WEIGHT].index_add_(0, cells, weights)
        self._sums[_LOSS].index_add_(0, cells, weights * nll)
        if hits is not None:
            self._sums[_JUDGED].index_add_(0, cells, weights)
            self._sums[_RIGHT].index_add_(0, cells, weights * hits)

    def take(self) -> Tensor:
        """The sums so far as a vector, for `means`; begins anew."""
        taken = self._sums.flatten().clone()
        self._sums.zero_()
        return taken

    def means(self, sums: Tensor, prefix: str = "") -> dict[str, Any]:
        """A record of `sums`, which came from `take`, on one rank or added up over several.

        Sources and kinds of which no token counted are left out; if none did at all, the loss is not a number.

        Args:
            sums: on the CPU.
            prefix: of all names, such as `val_`.

        """
        columns = sums.double().view(4, len(self.sources), len(KINDS))
        weight, loss, judged, right = columns.sum((1, 2)).tolist()
        record: dict[str, Any] = {
            f"{prefix}loss": loss / weight if weight else float("nan"),
            f"{prefix}loss_by_source": _means(self.sources, columns.sum(2)),
            f"{prefix}loss_by_kind": _means(KINDS, columns.sum(1)),
        }
        return record | ({f"{prefix}token_accuracy": right / judged} if judged else {})

    def read(self, prefix: str = "", group: dist.ProcessGroup | None = None) -> dict[str, Any]:
        """The record of all ranks of `group` since the last time; all of them must call it."""
        return self.means(gather(self.take(), group).sum(0), prefix)


def gather(vector: Tensor, group: dist.ProcessGroup | None = None) -> Tensor:
    """The vectors (n,) of all ranks of `group` as (ranks, n) on the CPU; of this one alone if there are no others."""
    if not (dist.is_available() and dist.is_initialized()):
        return vector[None].cpu()
    ranks = [torch.empty_like(vector) for _ in range(dist.get_world_size(group))]
    dist.all_gather(ranks, vector, group=group)
    return torch.stack(ranks).cpu()


def _means(names: Sequence[str], sums: Tensor) -> dict[str, float]:
    """sums: (4, names)."""
    return {name: loss / w for name, w, loss in zip(names, *sums[:2].tolist(), strict=True) if w}
