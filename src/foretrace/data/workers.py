"""The same task for many items, done by the processes of this machine. One may be done twice, and none is lost.

with Workers(8) as run:
    for result in run(partial(pack_unit, job), units): …
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from threading import Thread
from types import TracebackType
from typing import Self, TypeVar

from foretrace.errors import PipelineError

R = TypeVar("R")
T = TypeVar("T")
_TRIES = 3


class Workers:
    """Processes that start when there is work and end with the `with` block. One worker is this process itself."""

    def __init__(self, count: int) -> None:
        self.count = max(1, count)
        self._pool: ProcessPoolExecutor | None = None

    def __call__(self, task: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """What `task` gives for each item, as they end. Both go to the processes by pickle, so the task is no closure.

        Raises:
            PipelineError: a process was killed, again and again.

        """
        left = dict.fromkeys(items, 0)
        if self.count == 1:
            yield from map(task, left)
            return
        while left:
            pool = self._pool = self._pool or ProcessPoolExecutor(
                self.count, mp_context=get_context("spawn"), initializer=_end_with_parent
            )
            jobs = {pool.submit(task, item): item for item in left}
            try:
                for job in as_completed(jobs):
                    result = job.result()
                    del left[jobs[job]]
                    yield result
            except BrokenProcessPool:  # a worker was killed: what it was doing is done again
                self.close()
                for item in left:
                    left[item] += 1
                if max(left.values()) >= _TRIES:
                    raise PipelineError(
                        f"a process was killed {_TRIES} times, perhaps for lack of memory; use fewer workers, and start "
                        "again: what is done is kept"
                    ) from None

    def close(self) -> None:
        """Ends the processes; what is not begun is left."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _end_with_parent() -> None:
    """Lets this process end when its parent does, even if that is killed."""

    def wait() -> None:
        if (parent := parent_process()) is not None:
            parent.join()
            os._exit(1)

    Thread(target=wait, daemon=True).start()
