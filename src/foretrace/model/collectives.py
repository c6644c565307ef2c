"""The two collectives that this package calls itself, under whichever names the installed torch has for them.

torch 2.13 calls `all_gather_into_tensor` and `reduce_scatter_tensor` by new names, and warns of the old ones.
"""

from typing import Any

from torch import Tensor
from torch import distributed as dist


def all_gather(own: Tensor, group: dist.ProcessGroup | None = None) -> Tensor:
    """(n, ...) of each of R ranks -> (R n, ...), in the order of the ranks."""
    everyone = own.new_empty(dist.get_world_size(group) * own.shape[0], *own.shape[1:])
    gather: Any = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
    gather(everyone, own.contiguous(), group=group)
    return everyone


def reduce_scatter(everyone: Tensor, group: dist.ProcessGroup | None = None) -> Tensor:
    """(R n, ...) of each of R ranks -> (n, ...): the sum over the ranks of what is this rank's part."""
    own = everyone.new_empty(everyone.shape[0] // dist.get_world_size(group), *everyone.shape[1:])
    reduce: Any = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor
    reduce(own, everyone.contiguous(), group=group)
    return own
