"""Where a recorder writes: a file, and a tail that outlives its process.

The recorder in C gathers bytes in memory that is shared with a second file, the tail, and writes them to the first in large
pieces. What a process had not yet written when it died stands in the tail:

    bytes 0-7   two numbers in one, so that they change at once: how many bytes the output holds, times 2**20, and how many
                bytes of the data below, which follow them, are whole records
    from 8 on   data
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO

_HEAD = struct.Struct("=Q")
TAIL_BYTES = _HEAD.size + (64 << 10)


def merge(output: BinaryIO, tail: BinaryIO) -> bytes:
    """All that a recorder wrote, whether or not its process lived to finish."""
    tail.seek(0)
    head = tail.read(_HEAD.size)
    written, committed = divmod(_HEAD.unpack(head)[0], 1 << 20) if len(head) == _HEAD.size else (0, 0)
    output.seek(0)
    if not written and not committed:  # the reference recorder has no use for a tail
        return output.read()
    data = output.read(min(written, os.fstat(output.fileno()).st_size))
    return data + tail.read(committed) if len(data) == written else data


def tail_of(path: Path) -> Path:
    """The tail of an output file, there while it is being written and after a crash."""
    return path.with_name(path.name + ".tail")


def read_output(path: Path) -> bytes:
    """The bytes of an output file and, after a crash, of its tail."""
    if not tail_of(path).exists():
        return path.read_bytes()
    with path.open("rb") as output, tail_of(path).open("rb") as tail:
        return merge(output, tail)
