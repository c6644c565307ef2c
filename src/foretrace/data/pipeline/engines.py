"""Who runs the tasks of a stage: processes of this machine, or a Ray cluster. A task may run twice, and none is lost."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from multiprocessing import get_context
from typing import Any

from foretrace.data.pipeline.definition import Definition
from foretrace.data.pipeline.stages import Counts, run_task
from foretrace.errors import PipelineError, UsageError

ENGINES = ("local", "ray")
_TRIES = 3

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
        return closing(_Local(max(1, workers)))
    if name == "ray":
        return nullcontext(partial(_run_ray, workers, address))
    raise UsageError(f"no engine called {name!r}; there are: {', '.join(ENGINES)}")


class _Local:
    """Processes of this machine, the same for all stages."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def __call__(self, stage: str, definition: Definition, url: str, numbers: list[int]) -> Iterator[Counts]:
        left = dict.fromkeys(numbers, 0)
        while left:
            pool = self._pool = self._pool or ProcessPoolExecutor(self._workers, mp_context=get_context("spawn"))
            jobs = {pool.submit(run_task, stage, definition, url, number): number for number in left}
            try:
                for job in as_completed(jobs):
                    counts = job.result()
                    del left[jobs[job]]
                    yield counts
            except BrokenProcessPool:  # a worker was killed: what it was doing is done again
                self.close()
                for number in left:
                    left[number] += 1
                if max(left.values()) >= _TRIES:
                    raise PipelineError(
                        f"a process was killed {_TRIES} times in the stage {stage!r}, perhaps for lack of memory; use fewer "
                        "workers or smaller shards (subjects_per_shard), and start again: what is done is kept"
                    ) from None

    def close(self) -> None:
        """Ends the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def _run_ray(
    workers: int, address: str | None, stage: str, definition: Definition, url: str, numbers: list[int]
) -> Iterator[Counts]:
    try:
        import ray
    except ImportError as error:
        raise UsageError('the engine "ray" needs Ray; install it with: pip install "foretrace[ray]"') from error
    if not ray.is_initialized():
        ray.init(address=address, log_to_driver=False, include_dashboard=False)
    ray.data.DataContext.get_current().enable_progress_bars = False

    def run(row: dict[str, Any]) -> dict[str, Any]:
        return run_task(stage, definition, url, int(row["number"]))

    blocks = max(1, len(numbers))
    tasks = ray.data.from_items([{"number": number} for number in numbers], override_num_blocks=blocks)
    yield from tasks.map(run, concurrency=workers or None).iter_rows()
