"""Where a learner's groups come from, and where its weights go: the queue of rollouts and that of models.

    with ThreadFeed(source, make_collector) as feed:
        group = feed.next()
        feed.publish(weights, version)

`SteadyFeed` collects while the learner waits, and nothing is collected while it learns: one thing after the other, for
debugging and as the baseline. `ThreadFeed` collects all the time, in a thread, and takes new weights as soon as they come.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from typing import Protocol, Self

from foretrace.model.checkpoint import Weights
from foretrace.rl.collector import Start
from foretrace.rl.source import TaskSource
from foretrace.rl.types import Group

Newest = Callable[[], tuple[Weights, int] | None]
"""Weights and their version that were not taken before; None: there are no newer ones."""


class Collects(Protocol):
    """A `Collector`, or many of them on a cluster."""

    def groups(self, starts: Iterable[Start]) -> Iterator[Group]:
        """Groups, as they are over."""

    def close(self) -> None:
        """Ends what works."""


MakeCollector = Callable[[Newest], Collects]


class Feed(Protocol):
    """For one learner."""

    def next(self) -> Group:
        """The next group; waits for it.

        Raises:
            TrainingError: an environment failed.

        """

    def publish(self, weights: Weights, version: int) -> None:
        """Hands on new weights; nobody waits for whoever takes them."""

    def close(self) -> None:
        """Ends what collects; what is in progress is lost."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...


class Mailbox:
    """The newest weights, for one that takes them when it likes."""

    def __init__(self) -> None:
        self._held: tuple[Weights, int] | None = None
        self._lock = threading.Lock()

    def put(self, weights: Weights, version: int) -> None:
        """Replaces what is there."""
        with self._lock:
            self._held = weights, version

    def take(self) -> tuple[Weights, int] | None:
        """What is there, once."""
        with self._lock:
            held, self._held = self._held, None
            return held


class SteadyFeed:
    """Rounds of groups, each with the weights of its beginning."""

    def __init__(self, source: TaskSource, make: MakeCollector, *, groups: int) -> None:
        """`groups`: of a round. What of them the learner does not need is there for its next update."""
        self._source, self._groups = source, groups
        self._mailbox = Mailbox()
        self._collector = make(self._mailbox.take)
        self._ready: deque[Group] = deque()

    def next(self) -> Group:
        """See `Feed`."""
        if not self._ready:
            self._ready.extend(self._collector.groups(self._source.take(self._groups)))
        return self._ready.popleft()

    def publish(self, weights: Weights, version: int) -> None:
        """See `Feed`."""
        self._mailbox.put(weights, version)

    def close(self) -> None:
        """See `Feed`."""
        self._collector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class ThreadFeed:
    """A thread that collects all the time, as far ahead as a bounded queue lets it."""

    def __init__(self, source: TaskSource, make: MakeCollector, *, ahead: int) -> None:
        """`ahead`: groups that may wait for the learner; what waits grows stale."""
        self._source, self._mailbox = source, Mailbox()
        self._ready: queue.Queue[Group | BaseException] = queue.Queue(ahead)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(make,), name="collector", daemon=True)
        self._thread.start()

    def next(self) -> Group:
        """See `Feed`."""
        found = self._ready.get()
        if isinstance(found, BaseException):
            raise found
        return found

    def publish(self, weights: Weights, version: int) -> None:
        """See `Feed`."""
        self._mailbox.put(weights, version)

    def close(self) -> None:
        """See `Feed`."""
        self._closed.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _work(self, make: MakeCollector) -> None:
        try:
            with closing(make(self._newest)) as collector:
                for group in collector.groups(self._starts()):
                    self._put(group)
        except _ClosedError:
            return
        except BaseException as error:  # the learner is told, whatever it is
            self._put(error)

    def _newest(self) -> tuple[Weights, int] | None:
        """Asked before each pass, it is also where a closed feed stops."""
        if self._closed.is_set():
            raise _ClosedError
        return self._mailbox.take()

    def _starts(self) -> Iterator[Start]:
        while True:
            yield from self._source.take(1)

    def _put(self, what: Group | BaseException) -> None:
        while not self._closed.is_set():
            with suppress(queue.Full):
                self._ready.put(what, timeout=0.1)
                return


class _ClosedError(Exception):
    """Nobody wants more."""
