"""Requests that wait: one thread puts them in as they come, another one takes them out and does them.

inbox.put(request)
inbox.take()                          # the first; waits for one; None once the inbox is closed
inbox.take_one_of({"threads"})        # the first that can be done now, while a move goes on
inbox.remove(seq)                     # it was cancelled
"""

import threading
from collections import deque
from collections.abc import Callable, Collection

from foretrace.dap.protocol import Request

MAX_WAITING = 1_000


class Inbox:
    """Requests in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: deque[Request] = deque()
        self._changed = threading.Condition()
        self._is_closed = False

    def put(self, request: Request) -> bool:
        """Adds one; False if too many wait."""
        with self._changed:
            if len(self._waiting) >= MAX_WAITING:
                return False
            self._waiting.append(request)
            self._changed.notify()
            return True

    def close(self) -> None:
        """Forgets those that wait; nothing is taken out any more."""
        with self._changed:
            self._is_closed = True
            self._waiting.clear()
            self._changed.notify()

    def take(self) -> Request | None:
        """Waits for a request; None once the inbox is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            return self._waiting.popleft() if self._waiting else None

    def take_one_of(self, commands: Collection[str]) -> Request | None:
        """The first that asks for one of `commands`, if there is any; the others wait on."""
        return self._pick(lambda request: request.command in commands)

    def remove(self, seq: int) -> Request | None:
        """The one that the client calls `seq`, if it still waits."""
        return self._pick(lambda request: request.seq == seq)

    def _pick(self, wanted: Callable[[Request], bool]) -> Request | None:
        with self._changed:
            found = next(filter(wanted, self._waiting), None)
            if found is not None:
                self._waiting.remove(found)
            return found
