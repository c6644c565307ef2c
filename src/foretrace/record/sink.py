"""Where a recorder writes: a file, and a tail that outlives its process.

The recorder in C gathers bytes in memory that is shared with a second file, the tail, and writes them to the first in large
pieces. What a process had not yet written when it died stands in the tail:

    bytes 0-7   committed: how many bytes of the data below are whole records
    bytes 8-15  written: how many bytes the output holds before them
    from 16 on  data
"""

import struct
from pathlib import Path

TAIL_BYTES = 16 + (256 << 10)
_HEAD = struct.Struct("=QQ")


def merge(output: bytes, tail: bytes) -> bytes:
    """All that a recorder wrote, whether or not its process lived to finish."""
    if len(tail) < _HEAD.size:
        return output
    committed, written = _HEAD.unpack_from(tail)
    if written > len(output) or committed > len(tail) - _HEAD.size or not written:
        return output
    return output[:written] + tail[_HEAD.size : _HEAD.size + committed]


def tail_of(path: Path) -> Path:
    """The tail of an output file, there while it is being written and after a crash."""
    return path.with_name(path.name + ".tail")


def read_output(path: Path) -> bytes:
    """The bytes of an output file and, after a crash, of its tail."""
    tail = tail_of(path)
    return merge(path.read_bytes(), tail.read_bytes() if tail.exists() else b"")
