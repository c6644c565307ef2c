"""The next batch, made in a background thread while the present one is trained on.

batches = Prefetch(Loader(mixture), rank, world)
rows = next(batches)                # and the one after it is being read
state = batches.state()             # of what was handed out
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from foretrace.data.batch import Batch
from foretrace.data.loader import Loader, Progress


class _Made(NamedTuple):
    rows: list[Batch]
    state: dict[str, Any]
    progress: dict[str, Progress]


class Prefetch(Iterator[list[Batch]]):
    """A loader that is one batch ahead. Its state is that of the batch handed out last, not of the one being made."""

    def __init__(self, loader: Loader, rank: int = 0, world: int = 1) -> None:
        """Begins to make the next batch of `loader`, which from now on is this object's alone.

        Args:
            loader: which loader.
            rank: whose rows of each batch to read.
            world: number of ranks.

        """
        self._loader, self._rank, self._world = loader, rank, world
        self._state, self._progress = loader.state(), loader.progress()
        self._thread = ThreadPoolExecutor(1, "prefetch")
        self._next: Future[_Made] = self._thread.submit(self._make)

    def __next__(self) -> list[Batch]:
        rows, self._state, self._progress = self._next.result()
        self._next = self._thread.submit(self._make)
        return rows

    def state(self) -> dict[str, Any]:
        """See `Loader.state`."""
        return self._state

    def restore(self, state: dict[str, Any]) -> None:
        """See `Loader.restore`."""
        self._next.exception()  # waits for the batch in the making; nobody wants it
        self._loader.restore(state)
        self._state, self._progress = self._loader.state(), self._loader.progress()
        self._next = self._thread.submit(self._make)

    def progress(self) -> dict[str, Progress]:
        """See `Loader.progress`."""
        return self._progress

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown()

    def _make(self) -> _Made:
        rows = self._loader.next_batch(self._rank, self._world)
        return _Made(rows, self._loader.state(), self._loader.progress())
