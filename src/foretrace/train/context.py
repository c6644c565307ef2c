"""Context parallelism: several ranks share the tokens of a row.

Attention is causal: the later a token, the more it has to do. So a row is cut into 2 R chunks for R ranks, and rank r takes
chunks r and 2R-1-r: all have the same work. Each computes its tokens only; at attention, keys and values of all ranks are
gathered, as in Llama 3 (arXiv:2407.21783, section 3.3.2): with few key heads they are small beside the rest, and documents
and windows are exactly what they are on one rank.

    pieces = pieces_of(len(row), axis)                       # which tokens are this rank's
    model.attend = attend_to_all(model.attend, group)        # its queries, everybody's keys

R ranks, N tokens in a row, M = N / R on each; K key heads, C dimensions of a head.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch import distributed as dist

from foretrace.data.batch import PADDING, Batch
from foretrace.data.kinds import Kind
from foretrace.model.attention import Attend
from foretrace.model.collectives import all_gather, reduce_scatter
from foretrace.model.documents import Documents
from foretrace.train.ranks import Axis


def pieces_of(length: int, axis: Axis) -> tuple[range, range]:
    """The two ranges of a row that are this rank's, in order. `length`: tokens of the row, a multiple of twice the ranks."""
    chunk, rest = divmod(length, 2 * axis.size)
    assert rest == 0, f"{length} tokens do not make {2 * axis.size} chunks"
    late = 2 * axis.size - 1 - axis.rank
    return range(axis.rank * chunk, (axis.rank + 1) * chunk), range(late * chunk, (late + 1) * chunk)


def divisible(batch: Batch, axis: Axis) -> Batch:
    """The row, lengthened by a document of padding so that it can be cut into chunks."""
    missing = -len(batch.tokens) % (2 * axis.size)
    if missing == 0:
        return batch
    return replace(
        batch,
        tokens=np.pad(batch.tokens, (0, missing)),
        lengths=(*batch.lengths, missing),
        kinds=np.pad(batch.kinds, (0, missing), constant_values=Kind.PROMPT),
        weights=np.pad(batch.weights, (0, missing)),
        sources=np.append(batch.sources, PADDING),
    )


def attend_to_all(attend: Attend, group: dist.ProcessGroup) -> Attend:
    """An attention whose queries are this rank's pieces of a row, and whose keys are the whole row's."""

    def attend_gathered(q: Tensor, k: Tensor, v: Tensor, documents: Documents, window: int | None) -> Tensor:
        keys, values = _Gather.apply(torch.stack([k, v]).movedim(2, 0), group).unbind(1)  # type: ignore[no-untyped-call]
        return attend(q, keys.transpose(0, 1), values.transpose(0, 1), documents, window)

    return attend_gathered


class _Gather(torch.autograd.Function):
    """(M, ...) on each rank -> (N, ...) in the order of the row; gradients are summed over the ranks."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, group: dist.ProcessGroup) -> Tensor:
        ctx.group, ctx.ranks = group, dist.get_world_size(group)
        return _reordered(all_gather(own, group), _row_order(ctx.ranks))

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        return reduce_scatter(_reordered(grad_outputs[0], _rank_order(ctx.ranks)), ctx.group), None


def _reordered(tensor: Tensor, order: list[int]) -> Tensor:
    chunks = tensor.chunk(len(order))
    return torch.cat([chunks[i] for i in order])


def _rank_order(ranks: int) -> list[int]:
    """The chunks of the row in the order in which the ranks hold them."""
    return [chunk for rank in range(ranks) for chunk in (rank, 2 * ranks - 1 - rank)]


def _row_order(ranks: int) -> list[int]:
    """Where among all ranks' chunks each chunk of the row is."""
    held = _rank_order(ranks)
    return [held.index(chunk) for chunk in range(2 * ranks)]
