"""Where a recorder writes: a file, and a tail that outlives its process.

The recorder in C gathers bytes in memory that is shared with a second file, the tail, and writes them to the first in large
pieces. What a process had not yet written when it died stands in the tail:

    bytes 0-7   two numbers in one, so that they change at once: how many bytes the output holds, times 2**20, and how many
                bytes of the data below, which follow them, are whole records
    from 8 on   data
"""

import struct
from pathlib import Path

_HEAD = struct.Struct("=Q")
TAIL_BYTES = _HEAD.size + (64 << 10)


def merge(output: bytes, tail: bytes) -> bytes:
    """All that a recorder wrote, of what stands in both files, whether or not its process lived to finish."""
    written, committed = divmod(_HEAD.unpack_from(tail)[0], 1 << 20) if len(tail) >= _HEAD.size else (0, 0)
    if not written and not committed:  # the reference recorder has no use for a tail
        return output
    data = output[:written]
    return data + tail[_HEAD.size : _HEAD.size + committed] if len(data) == written else data


def tail_of(path: Path) -> Path:
    """The tail of an output file, there while it is being written and after a crash."""
    return path.with_name(path.name + ".tail")


def read_output(path: Path) -> bytes:
    """The bytes of an output file and, after a crash, of its tail."""
    if not tail_of(path).exists():
        return path.read_bytes()
    return merge(path.read_bytes(), tail_of(path).read_bytes())
