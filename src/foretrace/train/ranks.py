"""The processes that share a run: how many, which of them this one is, and what they must agree on.

`torchrun` starts them; without it there is one, and everything here does nothing. They stand on a grid of three dimensions:

    data      each has rows of its own                            (outermost: its traffic may cross nodes)
    context   each has pieces of the same row
    tensor    each has a part of every matrix, all the same tokens (innermost: needs the fastest links)

Weights, gradients and moments are shared out over data x context.

    ranks = Ranks.join(config.parallel, device)
    mine = rows[ranks.data.rank :: ranks.data.size]
    with ranks.together():          # fails on all ranks if it fails on one
        if ranks.first:
            folder.mkdir()
"""

import atexit
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch import distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.distributed_c10d import _get_default_store

from foretrace.errors import ForetraceError, TrainingError, UsageError
from foretrace.model.collectives import all_gather
from foretrace.train.config import Parallel

TIMEOUT = timedelta(minutes=30)
"""A collective that takes longer ends the run: longer than the first rank takes to write a checkpoint of 65 GB."""
_FAILED = "foretrace/failed"


class Axis(NamedTuple):
    """This process on one dimension of the grid."""

    rank: int
    size: int


ALONE = Axis(0, 1)


class Ranks:
    """This process among those of the run; made by `join`."""

    def __init__(self, grid: DeviceMesh | None = None) -> None:
        self.grid = grid
        """Of dimensions data, context, tensor; None: the process is alone."""
        self.weights: DeviceMesh | None = None
        """The same ranks, of dimensions shards (data x context) and tensor: what parameters are distributed over."""
        self.data = self.context = self.tensor = ALONE
        if grid is not None:
            self.data, self.context, self.tensor = (Axis(grid.get_local_rank(i), grid.size(i)) for i in range(3))
            shape = (self.data.size * self.context.size, self.tensor.size)
            ranks = torch.arange(self.size).view(shape)
            self.weights = DeviceMesh(grid.device_type, ranks, mesh_dim_names=("shards", "tensor"))

    @classmethod
    def join(cls, parallel: Parallel, device: torch.device) -> "Ranks":
        """Meets the other processes that `torchrun` has started.

        Args:
            device: of this process; its type decides how they talk (NCCL or Gloo).

        Raises:
            UsageError: the sizes do not fit the number of processes.

        """
        world = int(os.environ.get("WORLD_SIZE", "1"))
        shape = _shape(parallel, world)
        if world == 1:
            return cls()
        if not dist.is_initialized():
            _meet(device)
        return cls(init_device_mesh(device.type, shape, mesh_dim_names=("data", "context", "tensor")))

    @property
    def size(self) -> int:
        """Number of processes."""
        return 1 if self.grid is None else self.grid.size()

    @property
    def first(self) -> bool:
        """Whether this is the one process that writes what all have in common."""
        return self.grid is None or dist.get_rank() == 0

    @property
    def readers(self) -> dist.ProcessGroup | None:
        """The processes that together read all rows once, this one among them; None: there is no other."""
        return None if self.weights is None else self.weights["shards"].get_group()

    def gather(self, *values: float) -> Tensor:
        """Every rank's values: (data, context, tensor, values) float64 on the CPU. All ranks must call it."""
        own = torch.tensor(values, dtype=torch.float64)
        if self.grid is None:
            return own.view(1, 1, 1, -1)
        everyone = all_gather(own.to(_local_device(self.grid)))
        return everyone.view(*self.grid.shape, len(values)).cpu()

    def sum_context(self, values: Tensor) -> Tensor:
        """The sum over the ranks that share a row, in place. All of them must call it."""
        if self.grid is not None and self.context.size > 1:
            dist.all_reduce(values, group=self.grid["context"].get_group())
        return values

    def from_first(self, value: Any) -> Any:
        """What the first rank has given as `value`, on every rank. All ranks must call it."""
        if self.grid is None:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, device=_local_device(self.grid))
        return box[0]

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is done within fails on every rank if it fails on one, so that none waits for another in vain.

        Raises:
            TrainingError: another rank failed; the message is that rank's.

        """
        error: Exception | None = None
        try:
            yield
        except (ForetraceError, OSError) as failure:
            error = failure
        others: list[str | None] = [None] * self.size
        if self.grid is not None:
            dist.all_gather_object(others, None if error is None else str(error))
        if error is not None:
            raise error
        for rank, message in enumerate(others):
            if message is not None:
                raise TrainingError(f"rank {rank}: {message}")

    @contextmanager
    def watching(self) -> Iterator[None]:
        """If a rank fails within, the others end with its error rather than with one about a lost connection.

        Raises:
            TrainingError: another rank failed first.

        """
        try:
            yield
        except Exception as error:
            if self.grid is None:
                raise
            atexit.unregister(dist.destroy_process_group)  # it would wait for ranks that are gone
            first = _tell(f"rank {dist.get_rank()}: {error or type(error).__name__}")
            if first is None or isinstance(error, ForetraceError):
                raise
            raise TrainingError(f"another process failed first, {first}") from error


def _shape(parallel: Parallel, world: int) -> tuple[int, int, int]:
    sizes = {"data": parallel.data, "context": parallel.context, "tensor": parallel.tensor}
    wrong = [name for name, size in sizes.items() if size < (0 if name == "data" else 1)]
    if wrong:
        raise UsageError(f"parallel.{wrong[0]}={sizes[wrong[0]]} must be at least {0 if wrong[0] == 'data' else 1}")
    rest = parallel.context * parallel.tensor
    data = parallel.data or max(1, world // rest)
    if data * rest != world:
        product = " x ".join(f"{name}={size or data}" for name, size in sizes.items())
        raise UsageError(
            f"parallel.{product} makes {data * rest} processes, but there are {world}. Start as many with torchrun "
            "(--nproc-per-node times --nnodes), or set data=0 to take all that context and tensor leave"
        )
    return data, parallel.context, parallel.tensor


def _meet(device: torch.device) -> None:
    """Joins the other processes, until this one ends.

    Gloo's threads let go of their last tensors under Python's lock. One that still waits for it when the interpreter ends
    takes the process down with an abort (seen in one of four runs on torch 2.11 and 2.13), so they are given a moment.
    """
    cuda = device.type == "cuda"
    if cuda:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if cuda else "gloo", timeout=TIMEOUT, device_id=device if cuda else None)
    atexit.register(dist.destroy_process_group)
    atexit.register(time.sleep, 0.1)  # comes before the other


def _tell(message: str) -> str | None:
    """Tells the other processes what happened, unless one has told before: then what it told."""
    with suppress(RuntimeError):  # whoever keeps the store may be gone, too
        told: str = _get_default_store().compare_set(_FAILED, "", message).decode()
        return None if told == message else told
    return None


def _local_device(grid: DeviceMesh) -> torch.device:
    return torch.device("cuda", torch.cuda.current_device()) if grid.device_type == "cuda" else torch.device("cpu")
