"""How many different texts there are, in bounded memory: exactly up to millions, within about 0.1 % above.

    subjects = Distinct()
    subjects.add(["1f…", "2e…"])
    subjects.number, subjects.exact

Of the fingerprints only those below a bound are kept; the bound is halved whenever there are too many (adaptive sampling,
Flajolet 1990).
"""

from collections.abc import Iterable
from hashlib import blake2b

LIMIT = 1 << 22


class Distinct:
    """The fingerprints of texts, or a known share of them."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit, self._halvings = limit, 0
        self._kept: set[int] = set()

    def add(self, texts: Iterable[str | None]) -> None:
        """Adds texts; one that is None counts for nothing."""
        found = (blake2b(text.encode(), digest_size=8).digest() for text in texts if text is not None)
        self._kept.update(key for key in (int.from_bytes(data) for data in found) if self._is_kept(key))
        while len(self._kept) > self._limit:
            self._halvings += 1
            self._kept = set(filter(self._is_kept, self._kept))

    def _is_kept(self, key: int) -> bool:
        return key < 1 << (64 - self._halvings)

    @property
    def number(self) -> int:
        """How many there are."""
        return len(self._kept) << self._halvings

    @property
    def exact(self) -> bool:
        """Whether that is no estimate."""
        return not self._halvings
