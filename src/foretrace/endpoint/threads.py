"""Work in threads, its results in order, its input taken only as it is needed.

for result in in_threads(work, items, threads=8): …
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int, name: str = "work", wait: bool = True
) -> Iterator[Result]:
    """What `work` makes of each item, in the order of the items, of which there may be endlessly many.

    Args:
        work: is called in a thread; what it raises is raised here, and ends everything.
        items: are taken in this thread.
        threads: that work at a time.
        name: of the threads, for debuggers.
        wait: when the caller stops early, wait for what is at work.

    """
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= 2 * threads:  # enough that a slow first one leaves no thread idle for long
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=wait, cancel_futures=True)
