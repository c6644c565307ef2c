"""When to ask a server again, and how long to wait before."""

import email.utils
import random
import time
from dataclasses import dataclass

AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
"""HTTP answers that another try may change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """Exponential backoff with full jitter: before retry n up to `first_wait` × 2ⁿ s, unless the server names a time."""

    most: int = 6
    first_wait: float = 0.5
    longest_wait: float = 60.0
    patience: float = 300.0
    """A server that asks for a longer wait than this is given up."""

    def wait_before(self, retry: int, retry_after: str | None) -> float | None:
        """Seconds to wait before the retry (from 0); `None` if it is to be given up."""
        asked = seconds_of(retry_after)
        if retry >= self.most or (asked or 0.0) > self.patience:
            return None
        if asked is None:
            return random.uniform(0.0, min(self.longest_wait, self.first_wait * 2.0**retry))
        return asked + random.uniform(0.0, self.first_wait)  # clients told the same do not return at once


def seconds_of(retry_after: str | None) -> float | None:
    """The wait that a Retry-After header asks for, seconds or a date; `None` if it is not one."""
    try:
        return max(0.0, float(retry_after or ""))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after or "").timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
