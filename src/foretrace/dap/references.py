"""Numbers that stand for what a client can ask about: frames, scopes, values with parts, targets of jumps.

    references = References()
    number = references.add(Locals(position=20))
    references.get(number, Locals, "variablesReference")        # Locals(position=20)
    references.renew()                                          # at each stop: what was handed out before is void

No number is used twice, so that one of an earlier stop is told from one of this stop (Debug Adapter Protocol,
"Lifetime of Object References").
"""

from collections.abc import Hashable
from typing import TypeVar

from foretrace.errors import UsageError

T = TypeVar("T")


class References:
    """Those of one client."""

    def __init__(self) -> None:
        self._next = self._first = 1
        self._held: dict[int, Hashable] = {}
        self._numbers: dict[Hashable, int] = {}

    def add(self, what: Hashable) -> int:
        """The number of `what` until the next stop; the same one each time."""
        if what not in self._numbers:
            self._numbers[what], self._held[self._next] = self._next, what
            self._next += 1
        return self._numbers[what]

    def get(self, number: int, kind: type[T], called: str) -> T:
        """What a number stands for.

        Raises:
            UsageError: for nothing of that kind, or for something of an earlier stop.

        """
        found = self._held.get(number)
        if found is not None and isinstance(found, kind):
            return found
        if 0 < number < self._first:
            raise UsageError(f"{called} {number} is of an earlier stop, and void since; ask for the stack trace again")
        raise UsageError(f"there is no {called} {number}")

    def renew(self) -> None:
        """Makes all numbers void that were handed out so far."""
        self._first = self._next
        self._held.clear()
        self._numbers.clear()
