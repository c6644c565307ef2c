"""What takes a thread of its own, and gives its results one by one to the event loop.

threads = Threads(64, seconds=300)
async for line in threads.run(lambda: predicted_lines(engine), cancel=engine.cancel): ...
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from foretrace.errors import ForetraceError
from foretrace.serve.answers import call_in, stopping, too_slow
from foretrace.serve.batching import Cancelled
from foretrace.serve.problem import Problem

T = TypeVar("T")


class Threads:
    """At most so many at a time; who finds none free is told."""

    def __init__(self, count: int, seconds: float) -> None:
        """`seconds`: time that each may take."""
        self._count, self._seconds, self._active = count, seconds, 0
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="trace")

    async def run(self, make: Callable[[], Iterator[T]], cancel: Callable[[], None]) -> AsyncGenerator[T]:
        """What the iterator gives that a thread makes and follows. `cancel` must make it end early; it is called if nobody
        wants to know more, or there is no time left.

        Raises:
            Problem: 429; all threads are taken. 400; a user's error. 503; it took too long, or the server is being stopped.

        """
        if self._active >= self._count:
            what = f"{self._active} requests about traces are being answered; try again soon"
            raise Problem(429, what, code="queue_full", headers={"retry-after": "1"})
        come: asyncio.Queue[T | _End] = asyncio.Queue()
        self._active += 1
        self._pool.submit(self._follow, make, asyncio.get_running_loop(), come)
        deadline = asyncio.get_running_loop().time() + self._seconds
        try:
            while True:
                async with asyncio.timeout_at(deadline):
                    each = await come.get()
                if isinstance(each, _End):
                    if each.error is not None:
                        raise each.error
                    return
                yield each
        except TimeoutError:
            raise too_slow(self._seconds) from None
        except Cancelled:
            raise stopping() from None
        finally:
            cancel()

    def _follow(
        self, make: Callable[[], Iterator[T]], loop: asyncio.AbstractEventLoop, come: "asyncio.Queue[T | _End]"
    ) -> None:
        """In the thread."""
        error: Exception | None = None
        try:
            for each in make():
                call_in(loop, come.put_nowait, each)
        except ForetraceError as found:
            error = Problem(400, str(found))
        except (RecursionError, MemoryError):
            error = Problem(400, "the program is too large or nested too deeply")
        except Exception as found:  # raised again by `run`
            error = found
        call_in(loop, self._ended, come, _End(error))

    def _ended(self, come: "asyncio.Queue[T | _End]", end: "_End") -> None:
        self._active -= 1
        come.put_nowait(end)


class _End:
    """There is no more, for this reason."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
