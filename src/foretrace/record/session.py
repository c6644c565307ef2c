"""Which recorder records: the one in C where it was built, else the reference; both write the same bytes."""

import os
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, Protocol

from foretrace.record.budget import Stop, WhenFull
from foretrace.record.reference import ReferenceRecorder
from foretrace.record.values import ValueLimits, describe_array
from foretrace.trace import BinaryWriter, Header, Limits, WireWriter, header_record

try:
    from foretrace.record import _recorder
except ImportError:  # there was no compiler when this was installed
    _recorder = None

Format = Literal["binary", "wire"]
HAS_NATIVE = _recorder is not None


_giving_way: Callable[[], None] | None = None


def give_way(stop: Callable[[], None] | None) -> None:
    """Sets what is called when the next session is opened: a process has one recorder, and another may be more important."""
    global _giving_way
    _giving_way = stop


class Session(Protocol):
    """A recorder of one thread, from `start` to `stop`; see `ReferenceRecorder`."""

    stopped: str
    threads: int
    traces: int
    events: int
    is_busy: bool

    def start(self) -> None:
        """Starts recording on this thread."""

    def stop(self) -> None:
        """Stops recording."""

    def fill(self, why: str) -> None:
        """Does what happens when a budget has run out."""


def open_session(
    lines_of: Callable[[str], list[str] | None],
    limits: Limits,
    *,
    entry: str = "",
    form: Format = "binary",
    output: "int | bytearray",
    tail: int = -1,
    many: bool = False,
    depth: int = 0,
    step_in: float = 1.0,
    seed: int = 0,
    when_full: WhenFull = "raise",
    value_limits: ValueLimits | None = None,
    native: bool | None = None,
) -> Session:
    """A recorder that has not started.

    Args:
        lines_of: see `ReferenceRecorder`, as are `many` to `when_full`.
        entry: name of the entry function, if it is known beforehand.
        output: a file descriptor, or what the bytes are appended to when recording stops.
        tail: descriptor of a file of `TAIL_BYTES`, where what was not yet written to `output` survives this process.
        native: whether to use the recorder in C; by default if it is there.

    """
    if _giving_way is not None:
        _giving_way()
        give_way(None)
    opening = _opening(entry, limits)
    options: dict[str, Any] = {"many": many, "depth": depth, "step_in": step_in, "seed": seed, "when_full": when_full}
    if _recorder is not None and native is not False:
        fd = output if isinstance(output, int) else -1
        values = value_limits or ValueLimits()
        return _recorder.Recorder(
            lines_of=lines_of,
            describe_array=describe_array,
            stop_class=Stop,
            opening=opening,
            wire=form == "wire",
            max_events=limits.max_events,
            max_bytes=limits.max_bytes,
            output=fd,
            tail=tail,
            memory=None if isinstance(output, int) else output,
            value_limits=(values.depth, values.items, values.characters, values.parts),
            **options,
        )
    if native:
        raise ImportError("the recorder in C was not built: install foretrace again where there is a C compiler")
    write = output.extend if isinstance(output, bytearray) else lambda data: _write(output, data)
    writer = BinaryWriter(write, opening) if form == "binary" else WireWriter(write)
    return ReferenceRecorder(lines_of, writer, limits, value_limits=value_limits, **options)


@lru_cache(maxsize=16)
def _opening(entry: str, limits: Limits) -> bytes:
    """How a stream begins."""
    python = ".".join(map(str, sys.version_info[:3]))
    return header_record(Header(source="", entry=entry, python=python, limits=limits))


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
