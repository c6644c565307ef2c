"""Continuous batching: jobs of all requests share a few running batches, one for each core; they come and go at any pass.

A job is one sequence. Those of a request wait in line together and enter in turn with those of others, so that a request
of many sequences keeps nobody waiting for all of them. The line has an end: who finds it full is told to come back. A job
that nobody wants any more leaves before the next pass.

    batcher = Batcher(engine.new_batch, places=32, queue=256)
    job = Job(Decoding(0, ids, ...))
    batcher.submit([job])
    job.done.result()           # the sequence, once it has ended
    batcher.close()
"""

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol

from foretrace.engine.batch import Batch
from foretrace.engine.decoding import Decoding
from foretrace.serve.problem import Problem

_log = logging.getLogger(__name__)


class Cancelled(Exception):
    """The job was taken back, or the server is being stopped."""


class Watch(Protocol):
    """Who wants to know what is being decoded; called by the threads that decode."""

    def passed(self, sequences: int) -> None:
        """A batch of so many sequences made a pass."""


class Job:
    """One sequence to be continued."""

    def __init__(self, sequence: Decoding, on_tokens: Callable[[], None] | None = None) -> None:
        """`on_tokens` is called after each pass that gave tokens, by the thread that decodes; it must be quick."""
        self.sequence, self.on_tokens = sequence, on_tokens
        self.done: Future[Decoding] = Future()
        """The sequence once it has ended; or Cancelled."""
        self.done.set_running_or_notify_cancel()  # so that only the batcher ends it
        self.unwanted = False


class Batcher:
    """Decodes jobs in threads of its own."""

    def __init__(
        self,
        new_batch: Callable[[], Batch],
        *,
        places: int,
        queue: int,
        threads: int | None = None,
        watch: Watch | None = None,
    ) -> None:
        """Starts its threads.

        Args:
            new_batch: makes a batch; each thread has one.
            places: sequences in one batch.
            queue: jobs that may wait.
            threads: that decode; None: one for each core.
            watch: is told of every pass.

        """
        self.queue = queue
        self._new_batch, self._places, self._watch = new_batch, places, watch
        self._waiting: deque[deque[Job]] = deque()
        """Of each request that waits, its jobs; the request whose turn it is first."""
        self._changed = threading.Condition()
        self._refreshes: list[Callable[[Batch], None]] = []
        self._closed = False
        count = threads or len(os.sched_getaffinity(0))
        self._loads = [0] * count
        names = [f"decode-{number}" for number in range(count)]
        self._threads = [
            threading.Thread(target=self._work, args=(at,), name=name, daemon=True) for at, name in enumerate(names)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Jobs that have no place yet."""
        with self._changed:
            return self._count_waiting()

    @property
    def running(self) -> int:
        """Jobs that are being decoded."""
        with self._changed:
            return sum(self._loads)

    def submit(self, jobs: Sequence[Job], *, begun: bool = False) -> None:
        """Takes the jobs of one request, all or none; those of an answer that has `begun` enter before all others.

        Raises:
            Problem: 429; too many are waiting. 503; the server is being stopped.

        """
        with self._changed:
            if self._closed:
                raise Problem(503, "the server is being stopped", headers={"retry-after": "5"})
            if not begun and self._count_waiting() + len(jobs) > self.queue:
                raise Problem(
                    429,
                    f"{self._count_waiting()} sequences are waiting, and there is room for {self.queue}; try again soon",
                    code="queue_full",
                    headers={"retry-after": "1"},
                )
            ended = [job for job in jobs if job.sequence.finish]
            group = deque(job for job in jobs if not job.sequence.finish)
            if begun:
                self._waiting.appendleft(group)
            else:
                self._waiting.append(group)
            self._changed.notify_all()
        for job in ended:
            job.done.set_result(job.sequence)

    def cancel(self, jobs: Sequence[Job]) -> None:
        """Takes jobs back; those that have ended stay as they are."""
        with self._changed:
            for job in jobs:
                job.unwanted = True
            taken = [job for group in self._waiting for job in group if job.unwanted]
            kept = [deque(job for job in group if not job.unwanted) for group in self._waiting]
            self._waiting = deque(group for group in kept if group)
        for job in taken:
            job.done.set_exception(Cancelled())

    def refresh(self, change: Callable[[Batch], None]) -> None:
        """Has every thread do this with its batch before its next pass. What is being decoded stays in it."""
        with self._changed:
            self._refreshes.append(change)

    def close(self) -> None:
        """Cancels all jobs and ends the threads."""
        with self._changed:
            self._closed = True
            waiting = [job for group in self._waiting for job in group]
            self._waiting.clear()
            self._changed.notify_all()
        for job in waiting:
            job.done.set_exception(Cancelled())
        for thread in self._threads:
            thread.join()

    def _count_waiting(self) -> int:
        return sum(map(len, self._waiting))

    # -- in the threads ------------------------------------------------------------------------------

    def _work(self, number: int) -> None:
        jobs: dict[Decoding, Job] = {}
        batch, refreshed = self._new_batch(), len(self._refreshes)
        while not self._closed:
            try:
                self._admit(number, batch, jobs)
                if refreshed < len(self._refreshes):
                    refreshed = len(self._refreshes)
                    self._refreshes[-1](batch)
                if jobs:
                    self._pass(batch, jobs)
            except Exception as error:  # whatever it is: it ends these jobs, not the server
                _log.exception("a batch of %d sequences failed", len(jobs))
                batch = self._new_batch()
                for job in jobs.values():
                    job.done.set_exception(error)
                jobs.clear()
        for job in jobs.values():
            job.done.set_exception(Cancelled())

    def _admit(self, number: int, batch: Batch, jobs: dict[Decoding, Job]) -> None:
        """Lets go what is unwanted, and takes in what has a place; waits while there is nothing to do."""
        for job in [job for job in jobs.values() if job.unwanted]:
            self._let_go(batch, jobs, job)
            job.done.set_exception(Cancelled())
        with self._changed:
            self._loads[number] = len(jobs)
            taken = self._take(number)
            while not (jobs or taken or self._closed):
                self._changed.wait()
                taken = self._take(number)
        jobs.update((job.sequence, job) for job in taken)  # first of all: should one not join, all of them are told
        for job in taken:
            batch.join(job.sequence)

    def _take(self, number: int) -> list[Job]:
        """Jobs for a thread, one request after the other, while none of the other threads has fewer."""
        taken: list[Job] = []
        others = [load for at, load in enumerate(self._loads) if at != number]
        while self._waiting and self._loads[number] < min([self._places, *(load + 1 for load in others)]):
            group = self._waiting.popleft()
            if group:
                taken.append(group.popleft())
                self._loads[number] += 1
            if group:
                self._waiting.append(group)
        return taken

    def _pass(self, batch: Batch, jobs: dict[Decoding, Job]) -> None:
        size = len(jobs)
        written = batch.step()
        if self._watch is not None:
            self._watch.passed(size)
        for sequence in written:
            job = jobs[sequence]
            if job.on_tokens is not None:
                job.on_tokens()
            if sequence.finish:
                del jobs[sequence]
                job.done.set_result(sequence)

    def _let_go(self, batch: Batch, jobs: dict[Decoding, Job], job: Job) -> None:
        batch.leave(job.sequence)
        del jobs[job.sequence]
