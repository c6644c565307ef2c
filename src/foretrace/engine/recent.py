"""What an engine has computed lately, for prompts that begin alike: a debugger that steps, goes back and forks.

recent = RecentCaches(forward.new_cache)
cache = recent.take(ids)            # holds the longest known beginning of ids; the caller's alone
forward.advance([ids[cache.length :]], [cache])
recent.give(ids, cache)
"""

from collections.abc import Callable, Sequence
from threading import Lock

import numpy as np

from foretrace.engine.forward import Cache, Ids

_MOST_BYTES = 128 << 20
_MOST_CACHES = 16
_COPYING = 32
"""Positions that are copied in the time in which one is computed (measured: 15 to 60)."""


class RecentCaches:
    """Caches of sequences that are not being decoded, least recently used first. Many threads may take and give."""

    def __init__(self, new_cache: Callable[[], Cache], most_bytes: int = _MOST_BYTES) -> None:
        """At least one cache is kept, however large."""
        self._new_cache, self._most_bytes = new_cache, most_bytes
        self._kept: list[tuple[Ids, Cache]] = []
        self._lock = Lock()

    def take(self, ids: Sequence[int]) -> Cache:
        """A cache with the longest beginning of `ids` that is known, but never with the last token: its logits are wanted.

        A sequence that goes on, or was cut by a little, keeps its cache; a fork gets a copy of the common part.
        """
        wanted = np.asarray(ids[:-1], dtype=np.int64)
        with self._lock:
            common = [_common(known, wanted) for known, _ in self._kept]
            kept = max(common, default=0)
            if not kept:
                return self._new_cache()
            known, cache = self._kept.pop(common.index(kept))
        if (len(known) - kept) * _COPYING <= kept:
            cache.length = kept
            return cache
        copy = cache.copy(kept)
        self._keep(known, cache)
        return copy

    def give(self, ids: Sequence[int], cache: Cache) -> None:
        """Takes back a cache that holds a beginning of `ids`."""
        self._keep(np.asarray(ids[: cache.length], dtype=np.int64), cache)

    def _keep(self, ids: Ids, cache: Cache) -> None:
        with self._lock:
            self._kept.append((ids, cache))
            total = sum(cache.nbytes for _, cache in self._kept)
            while len(self._kept) > 1 and (total > self._most_bytes or len(self._kept) > _MOST_CACHES):
                _, oldest = self._kept.pop(0)
                total -= oldest.nbytes


def _common(a: Ids, b: Ids) -> int:
    """How many tokens two sequences have in common at their beginning."""
    length = min(len(a), len(b))
    differs = a[:length] != b[:length]
    first = int(differs.argmax()) if length else 0
    return first if length and differs[first] else length
