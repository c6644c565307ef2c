"""What a run of a test suite tells us, message by message, over one file: what came before a crash is kept.

A message is the sizes of its two parts, a JSON object, and bytes. The tests run in the process that writes them: nothing
that is read here can be trusted to be what it should be.
"""

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_SIZES = struct.Struct("<II")


def encode(head: dict[str, Any], body: bytes = b"") -> bytes:
    """One message."""
    text = json.dumps(head).encode()
    return _SIZES.pack(len(text), len(body)) + text + body


def decode(data: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
    """All messages up to the first that is not whole."""
    at = 0
    while at + _SIZES.size <= len(data):
        size, more = _SIZES.unpack_from(data, at)
        start = at + _SIZES.size
        at = start + size + more
        if at > len(data):
            return
        try:
            head = json.loads(data[start : start + size])
        except (ValueError, RecursionError):
            return
        if not isinstance(head, dict):
            return
        yield head, data[start + size : at]


def join(data: bytes, parts: Sequence[Sequence[int]], texts: Mapping[int, bytes]) -> bytes:
    """A recording with the texts of its source files, which were told apart, put back.

    Args:
        parts: for each text the number of bytes before it, from the end of the last one, and the number of the text.

    """
    out, at = [], 0
    for size, number in parts:
        out += [data[at : at + size], texts.get(number, b"")]
        at += size
    return b"".join([*out, data[at:]])
