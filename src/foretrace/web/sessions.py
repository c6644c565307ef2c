"""The sessions that a server holds: as many as it may, the one that was not used for longest goes first.

store = Store(limit=64)
entry = store.add(session)
async with entry.turn:                  # one at a time: a session is not for several threads at once
    await run_in_threadpool(session.step)
"""

import asyncio
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from foretrace.debug import Session
from foretrace.serve.problem import Problem

MAX_WAITING = 16
"""Requests that may wait for their turn at one session."""


class Turn:
    """A lock with a short queue."""

    def __init__(self) -> None:
        self._lock, self._waiting = asyncio.Lock(), 0

    async def __aenter__(self) -> None:
        if self._waiting >= MAX_WAITING:
            raise Problem(429, "this session is busy; pause it, or wait", headers={"retry-after": "1"})
        self._waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


@dataclass(slots=True, eq=False)
class Entry:
    """One session and who is at it."""

    id: str
    session: Session
    turn: Turn = field(default_factory=Turn)
    is_paused: bool = False
    """Whether the move that is under way should stop."""


class Store:
    """Sessions by id. Ids cannot be guessed."""

    def __init__(self, limit: int = 64) -> None:
        self._limit = limit
        self._entries: OrderedDict[str, Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, session: Session) -> Entry:
        """Holds one more session."""
        entry = Entry(secrets.token_urlsafe(9), session)
        self._entries[entry.id] = entry
        while len(self._entries) > self._limit:
            _, oldest = self._entries.popitem(last=False)
            oldest.is_paused = True
        return entry

    def pause(self) -> None:
        """Ends all moves that are under way; what they found stays."""
        for entry in list(self._entries.values()):
            entry.is_paused = True

    def __getitem__(self, name: str) -> Entry:
        """The session of that id, which so counts as used.

        Raises:
            Problem: there is none, or it had to go.

        """
        if name not in self._entries:
            raise Problem(404, "there is no such session; the server was restarted, or others took its place")
        self._entries.move_to_end(name)
        return self._entries[name]
