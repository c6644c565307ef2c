"""The vocabulary of foretrace: an execution is a `Trace` of `Frame`s, each one `Event`.

A recorder and a predictor return the same type, so comparing prediction with reality is one call.
The semantics are those of `docs/trace-format.md` (Code World Model report, arXiv:2510.02387, section 2.2).

    >>> Frame(Event.LINE, "f", depth=0, line=2, source="    return x + 1", locals={"x": "1"}).state
    {'x': '1'}
"""

import math
from dataclasses import dataclass, field
from enum import StrEnum

from foretrace.errors import UsageError


class Event(StrEnum):
    """What the interpreter was about to do, or had just done (`sys.settrace` names)."""

    CALL = "call"
    LINE = "line"
    RETURN = "return"
    EXCEPTION = "exception"


class Outcome(StrEnum):
    """How the traced call ended."""

    RETURNED = "returned"
    RAISED = "raised"
    TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of an execution.

    `locals` (`CALL` and `LINE`) is the state *before* the line runs, in the interpreter's own order,
    every value a bounded `repr`. `value` (`RETURN` and `EXCEPTION`) is the repr of what left the scope
    or was raised. `line` is 1-based in the source, 0 for a ghost: a predicted line that the source lacks.
    """

    event: Event
    function: str
    depth: int
    line: int
    source: str
    """The source line with its indentation, without its newline."""
    locals: dict[str, str] | None = None
    value: str | None = None
    unwind: bool = False
    """The scope was left by this exception."""
    suspended: bool = False
    """This return is a yield or an await: the scope lives on."""
    resumed: bool = False
    """This call resumes a suspended scope."""
    path: str = ""
    """The file, where it is not the entry function's."""

    @property
    def state(self) -> dict[str, str]:
        """The locals, empty where the event carries none."""
        return self.locals or {}

    @property
    def ghost(self) -> bool:
        """Whether this is a predicted line that is not in the source."""
        return self.line == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Budgets of one recording. A budget that runs out keeps the frames so far."""

    seconds: float = 10.0
    """Wall-clock seconds."""
    cpu_seconds: float = 3600.0
    """Seconds of processor time, of the program and its recorder together."""
    memory_mb: int = 1024
    """Address space of the child process, MiB."""
    max_events: int = 10_000
    max_bytes: int = 1_000_000
    """Characters of all frames together (CWM report, section 2.2: traces over 1 MB are dropped)."""

    def __post_init__(self) -> None:
        for name in ("seconds", "cpu_seconds", "memory_mb", "max_events", "max_bytes"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise UsageError(f"a limit must be a positive number: {name} is {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What was executed, and how."""

    source: str
    """The whole source text, without the start marker."""
    entry: str
    """Qualified name of the function that was called."""
    path: str = "<string>"
    files: dict[str, str] = field(default_factory=dict)
    """Source of the other files that frames are of, by path."""
    arguments: dict[str, str] = field(default_factory=dict)
    """Arguments as bound on entry: name to repr."""
    kind: str = "recorded"
    """`recorded` (it ran) or `predicted` (it did not)."""
    model: str | None = None
    python: str = ""
    """Version of the interpreter that ran it, as `3.11.7`."""
    hash_seed: int = 0
    limits: Limits | None = None
    outcome: Outcome = Outcome.RETURNED
    detail: str = ""
    """Why it was truncated: `time`, `events`, `bytes`, `exit code 3`, `tokens`, …"""
    threads_unrecorded: int = 0


@dataclass(frozen=True, slots=True)
class Trace:
    """A header and the frames of one call, in execution order."""

    header: Header
    frames: tuple[Frame, ...]

    @property
    def result(self) -> str | None:
        """The repr of what the entry function returned, `None` if it raised or was cut."""
        last = self.frames[-1] if self.frames else None
        return last.value if last and self.header.outcome is Outcome.RETURNED else None

    @property
    def exception(self) -> str | None:
        """The repr of the exception that left the entry function, if one did."""
        last = self.frames[-1] if self.frames else None
        return last.value if last and self.header.outcome is Outcome.RAISED else None

    def __len__(self) -> int:
        return len(self.frames)
