"""Who runs the tasks of a stage: processes of this machine, or a Ray cluster. A task may run twice, and none is lost."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, TypeVar

from foretrace.data.pipeline.definition import Definition
from foretrace.data.pipeline.stages import Counts, run_task
from foretrace.data.workers import Workers
from foretrace.errors import UsageError

ENGINES = ("local", "ray")

T = TypeVar("T")
R = TypeVar("R")
Engine = Callable[[str, Definition, str, list[int]], Iterator[Counts]]
"""Runs the numbered tasks of a stage; yields what each counted, as they end."""


def open_engine(name: str, workers: int, address: str | None = None) -> AbstractContextManager[Engine]:
    """The engine called `name`, whose processes start when it is entered and end when it is left.

    Args:
        workers: processes (`local`), or tasks at a time (`ray`; 0: as many as the cluster has processors).
        address: of a running Ray cluster; by default the one of the environment, or else a new one on this machine.

    Raises:
        UsageError: no such engine, or it is not installed.

    """
    if name == "local":
        return _local(workers)
    if name == "ray":
        return nullcontext(partial(_run_ray, workers, address))
    raise UsageError(f"no engine called {name!r}; there are: {', '.join(ENGINES)}")


@contextmanager
def _local(workers: int) -> Iterator[Engine]:
    """Processes of this machine, the same for all stages."""
    with Workers(workers) as run:
        yield lambda stage, definition, url, numbers: run(partial(run_task, stage, definition, url), numbers)


def _run_ray(
    workers: int, address: str | None, stage: str, definition: Definition, url: str, numbers: list[int]
) -> Iterator[Counts]:
    return on_ray(partial(run_task, stage, definition, url), numbers, workers=workers, address=address)


def on_ray(task: Callable[[T], R], items: Sequence[T], *, workers: int = 0, address: str | None = None) -> Iterator[R]:
    """What `task` gives for each item, as they end, on a Ray cluster. What a machine was at that dies is done again.

    Args:
        task: goes to the machines by pickle, as the items do.
        items: one task each.
        workers: tasks at a time; 0: as many as the cluster has processors.
        address: as of `open_engine`.

    Raises:
        UsageError: Ray is not installed.

    """
    try:
        import ray
    except ImportError as error:
        raise UsageError('the engine "ray" needs Ray; install it with: pip install "foretrace[ray]"') from error
    if not ray.is_initialized():
        ray.init(address=address, log_to_driver=False, include_dashboard=False)
    ray.data.DataContext.get_current().enable_progress_bars = False

    def run(row: dict[str, Any]) -> dict[str, Any]:
        return {"made": pickle.dumps(task(items[int(row["number"])]))}

    numbers = [{"number": number} for number in range(len(items))]
    tasks = ray.data.from_items(numbers, override_num_blocks=max(1, len(items)))
    for row in tasks.map(run, concurrency=workers or None).iter_rows():
        yield pickle.loads(row["made"])  # our own processes made it
