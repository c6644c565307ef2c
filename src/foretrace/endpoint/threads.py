"""Work in threads, its results in order or as they come, its input taken only as it is needed.

for result in in_threads(work, items, threads=8): …
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    threads: int,
    name: str = "work",
    wait: bool = True,
    in_order: bool = True,
) -> Generator[Result, None, None]:
    """What `work` makes of each item, of which there may be endlessly many.

    Args:
        work: is called in a thread; what it raises is raised here, and ends everything.
        items: are taken in this thread.
        threads: that work at a time.
        name: of the threads, for debuggers.
        wait: when the caller stops early, wait for what is at work.
        in_order: of the items; else as soon as each is done.

    """
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= 2 * threads:  # enough that a slow first one leaves no thread idle for long
                yield _next(waiting, in_order)
        while waiting:
            yield _next(waiting, in_order)
    finally:
        pool.shutdown(wait=wait, cancel_futures=True)


def _next(waiting: deque[Future[Result]], in_order: bool) -> Result:
    """Takes one out: the first, or one that is done first."""
    if not in_order:
        done = futures.wait(waiting, return_when=futures.FIRST_COMPLETED).done
        first = next(future for future in waiting if future in done)
        waiting.remove(first)
        return first.result()
    return waiting.popleft().result()
