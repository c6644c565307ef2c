"""A line about each trace of a recording, without making its frames: a recording may hold many millions.

[summary] = summaries(Path("fib.ftb").read_bytes())
print(summary.entry, summary.steps)
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from foretrace.errors import FormatError
from foretrace.trace.binary import OUTCOMES, _binary, read_binary
from foretrace.trace.types import Outcome, Trace


@dataclass(frozen=True, slots=True)
class Summary:
    """What a trace is of, and how it ended."""

    entry: str
    path: str
    steps: int
    outcome: Outcome
    detail: str = ""
    """Why it was truncated."""
    threads_unrecorded: int = 0

    @property
    def ending(self) -> str:
        """`returned`, `raised`, or `truncated (events)`."""
        return f"{self.outcome} ({self.detail})" if self.detail else str(self.outcome)


def summarise(traces: Iterable[Trace]) -> list[Summary]:
    """A summary of each trace."""
    return [
        Summary(h.entry, h.path, len(trace), h.outcome, h.detail, h.threads_unrecorded)
        for trace, h in ((trace, trace.header) for trace in traces)
    ]


def summaries(data: bytes, *, partial: bool = False) -> list[Summary]:
    """A summary of each trace in the binary form; the number of one is its place, for `read_binary(only=)`.

    Raises:
        FormatError: see `read_binary`, as for `partial`.

    """
    if _binary is None:
        return summarise(read_binary(data, partial=partial))
    return [
        Summary(_entry(shared) or function, path, steps, OUTCOMES[outcome], detail, threads)
        for shared, path, function, steps, outcome, detail, threads in _binary.summaries(data, partial, FormatError)
    ]


def _entry(shared: str) -> str:
    """The entry that a stream's header names, if it names one."""
    try:
        return str(json.loads(shared).get("entry", ""))
    except (ValueError, AttributeError, RecursionError) as error:
        raise FormatError(f"the header of a stream is damaged (binary v1): {error!r}") from error
