"""What the server has done, for Prometheus: counters, gauges and histograms in its text format (version 0.0.4).

    metrics = Metrics()
    metrics.answered("/v1/completions", 200, seconds=0.2)
    metrics.text(waiting=0, running=3)

Thirty lines of exposition do not need a client library, its registry of globals, and its process metrics.
"""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


class Histogram:
    """How many observations were at most as large as each of some bounds, and their sum."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Counts one."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str) -> Iterator[str]:
        """Its samples."""
        total = 0
        for bound, count in zip([*map(str, self._bounds), "+Inf"], self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self._sum:.6f}"
        yield f"{name}_count {total}"


class Metrics:
    """Counts; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: Counter[tuple[str, int]] = Counter()
        self._cancelled = 0
        self._prompt_tokens = 0
        self._tokens = 0
        self._seconds = Histogram(_SECONDS)
        self._first = Histogram(_SECONDS)
        self._sizes = Histogram(_SIZES)

    def answered(self, path: str, status: int, seconds: float) -> None:
        """A request to one of our paths was answered."""
        with self._lock:
            self._answers[path, status] += 1
            self._seconds.observe(seconds)

    def began(self, seconds: float) -> None:
        """The first token of a request came so long after it."""
        with self._lock:
            self._first.observe(seconds)

    def cancelled(self) -> None:
        """A client went away before its answer was complete."""
        with self._lock:
            self._cancelled += 1

    def counted(self, prompt_tokens: int, tokens: int) -> None:
        """So many tokens were read and written for one request."""
        with self._lock:
            self._prompt_tokens += prompt_tokens
            self._tokens += tokens

    def passed(self, sequences: int) -> None:
        """A batch of so many sequences made a pass."""
        with self._lock:
            self._sizes.observe(sequences)

    def text(self, *, waiting: int, running: int) -> str:
        """All of it, as Prometheus reads it."""
        with self._lock:
            return "\n".join(self._lines(waiting, running)) + "\n"

    def _lines(self, waiting: int, running: int) -> Iterator[str]:
        yield from _head("foretrace_requests_total", "counter", "Requests answered.")
        for (path, status), count in sorted(self._answers.items()):
            yield f'foretrace_requests_total{{path="{path}",status="{status}"}} {count}'
        for name, kind, what, value in (
            ("requests_cancelled_total", "counter", "Requests whose client went away.", self._cancelled),
            ("prompt_tokens_total", "counter", "Tokens read.", self._prompt_tokens),
            ("generated_tokens_total", "counter", "Tokens written.", self._tokens),
            ("sequences_waiting", "gauge", "Sequences that have no place in a batch yet.", waiting),
            ("sequences_running", "gauge", "Sequences that are being decoded.", running),
        ):
            yield from _head(f"foretrace_{name}", kind, what)
            yield f"foretrace_{name} {value}"
        for name, what, histogram in (
            ("request_seconds", "From request to the end of its answer.", self._seconds),
            ("first_token_seconds", "From request to its first token.", self._first),
            ("batch_size", "Sequences decoded in one pass.", self._sizes),
        ):
            yield from _head(f"foretrace_{name}", "histogram", what)
            yield from histogram.lines(f"foretrace_{name}")


def _head(name: str, kind: str, what: str) -> Iterator[str]:
    yield f"# HELP {name} {what}"
    yield f"# TYPE {name} {kind}"
