"""What is asked of a sandbox, and what it answers."""

import math
from dataclasses import dataclass
from enum import StrEnum

from foretrace.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxLimits:
    """Of one job. Memory, file size and processor time are those of each of its processes."""

    seconds: float = 10.0
    """Wall-clock seconds; what still runs then is killed."""
    cpu_seconds: int = 10
    memory_mb: int = 1024
    """Address space, MiB."""
    file_mb: int = 64
    """Size of a file that it writes, its output among them, MiB."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise UsageError(f"a limit must be a positive number: {name} is {value}")


class Status(StrEnum):
    """How a job ended."""

    DONE = "done"
    """The function that was asked for came back, or hostile code in its process says so: no verdict rests on it."""
    EXITED = "exited"
    """The program ended its process."""
    KILLED = "killed"
    """A signal ended it: a crash, or the memory or the processor time of the process ran out."""
    TIMEOUT = "timeout"
    """The wall clock ran out."""
    BROKEN = "broken"
    """The sandbox itself failed, twice: nothing is known of the job."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a job left, and how it ended."""

    status: Status
    code: int
    """Exit code, or the number of the signal."""
    output: bytes
    """What the function wrote to its output. The program was in the same process: treat it as hostile."""
    stdout: bytes
    stderr: bytes
    seconds: float
    """Wall-clock seconds."""
    leftovers: int = 0
    """Processes that it had left running, which were killed."""
    tail: bytes = b""
    """Content of its second file."""
