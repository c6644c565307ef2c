"""Many recordings in one sandbox job: thousands of small programs of our own, of which few are kept.

    with many_recordings() as box:
        record_all([(source, "f", "3"), …], box)        # a Trace each, or None

What one program does it may do to those after it: so this is for programs that come from a generator of ours. Where one ends
the job, those after it are recorded in the next.
"""

import json
import os
import struct
from collections.abc import Sequence
from dataclasses import asdict

from foretrace.errors import RecordError, SandboxError, UsageError
from foretrace.record.program import recorded_bytes
from foretrace.sandbox import Sandbox, SandboxLimits, Status
from foretrace.trace import Limits, Trace, read_binary

Call = tuple[str, str, str]
"""Source, entry function, text of the argument list."""

AT_ONCE = 200
_LENGTH = struct.Struct("<I")
_GRACE = 5.0


def many_recordings() -> Sandbox:
    """A sandbox for `record_all`."""
    return Sandbox("process", preload=[__name__])


def record_all(calls: Sequence[Call], box: Sandbox, limits: Limits | None = None) -> list[Trace | None]:
    """Traces in order; None where there is none: the source or the arguments do not do, or the program ended its process.

    Raises:
        SandboxError: the sandbox itself failed.

    """
    limits, found = limits or Limits(), list[Trace | None]()
    while len(found) < len(calls):
        batch = calls[len(found) : len(found) + AT_ONCE]
        payload = json.dumps({"calls": batch, "limits": asdict(limits)}).encode()
        seconds = limits.seconds * len(batch) + _GRACE
        allowed = SandboxLimits(
            seconds=seconds, cpu_seconds=int(seconds) + 1, memory_mb=limits.memory_mb, file_mb=16 + len(batch)
        )
        result = box.run(f"{__name__}:run", payload, allowed)
        if result.status is Status.BROKEN:
            raise SandboxError("the sandbox broke twice; try again")
        done = _traces(result.output)[: len(batch)]
        found += done if len(done) == len(batch) else [*done, None]  # the one after the last that was written ended it
    return found


def _traces(data: bytes) -> list[Trace | None]:
    found: list[Trace | None] = []
    at = 0
    while at + _LENGTH.size <= len(data):
        [length] = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            break
        found.append(next(read_binary(data[at : at + length]), None) if length else None)
        at += length
    return found


def run(payload: bytes, output: int) -> None:
    """In the sandbox: records each call and writes its trace, after its length; a length of 0 where there is none."""
    job = json.loads(payload)
    limits = Limits(**job["limits"])
    for source, entry, arguments in job["calls"]:
        try:
            data, _ = recorded_bytes(source, entry, arguments, limits)
        except (RecordError, UsageError):
            data = b""
        os.write(output, _LENGTH.pack(len(data)) + data)
