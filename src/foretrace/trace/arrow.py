"""Traces as an Arrow table, a row a frame: for pandas, Polars, DuckDB and Parquet.

    table = to_table(Path("fib.ftb").read_bytes())
    write_parquet(table, "fib.parquet")

`trace` is the number of the trace in the file, from 0. `locals` is a JSON object of texts, null for returns and exceptions;
`value` is null for calls and lines. The columns are built in C and handed over without a copy. Needs the extra `arrow`.
"""

import os
import re
from array import array
from typing import TYPE_CHECKING, Any

from foretrace.errors import FormatError, UsageError
from foretrace.trace.binary import EVENTS, _binary, read_binary
from foretrace.trace.types import Event
from foretrace.trace.wire import _dump

if TYPE_CHECKING:
    import pyarrow

_TEXTS = ("path", "function", "source", "locals", "value")
_FLAGS = {"unwind": 1, "suspended": 2, "resumed": 4}
_FIRST_WITH_VALUE = EVENTS.index(Event.RETURN)  # calls and lines, which have locals, come before
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
_REPLACEMENT = "\ufffd".encode()

Columns = tuple[tuple[Any, ...], tuple[tuple[Any, bytes], ...]]
"""int32 columns trace, event, flags, depth, line; for each of `_TEXTS` int64 offsets, one more than rows, and UTF-8."""


def to_table(data: bytes, *, partial: bool = False) -> "pyarrow.Table":
    """All frames of all traces of a stream in the binary form.

    Columns: `trace`, `event` (a dictionary), `function`, `depth`, `line`, `source`, `locals`, `value`, `unwind`,
    `suspended`, `resumed`, `path`. A lone surrogate, which Arrow's text cannot hold, becomes U+FFFD.

    Raises:
        UsageError: pyarrow is not installed.
        FormatError: see `read_binary`, as for `partial`.

    """
    arrow, compute = _import()
    numbers, texts = _binary.columns(data, partial, FormatError) if _binary is not None else _columns(data, partial)
    rows = arrow.py_buffer(texts[0][0]).size // 8 - 1

    def number(column: Any) -> Any:
        return arrow.Array.from_buffers(arrow.int32(), rows, [None, arrow.py_buffer(column)])

    trace, event, flags, depth, line = map(number, numbers)
    has_value = compute.greater_equal(event, arrow.scalar(_FIRST_WITH_VALUE, arrow.int32()))
    valid = {"locals": compute.invert(has_value).buffers()[1], "value": has_value.buffers()[1]}

    def text(name: str, offsets: Any, content: bytes) -> Any:
        if _SURROGATE.search(content):
            content = _SURROGATE.sub(_REPLACEMENT, content)  # which has three bytes too
        buffers = [valid.get(name), arrow.py_buffer(offsets), arrow.py_buffer(content)]
        return arrow.Array.from_buffers(arrow.large_utf8(), rows, buffers)

    named = {name: text(name, *column) for name, column in zip(_TEXTS, texts, strict=True)}
    bits = {
        name: compute.not_equal(compute.bit_wise_and(flags, arrow.scalar(bit, arrow.int32())), 0)
        for name, bit in _FLAGS.items()
    }
    events = arrow.DictionaryArray.from_arrays(event, arrow.array([str(e) for e in EVENTS], arrow.string()))
    path = named.pop("path")
    first = {"trace": trace, "event": events, "function": named.pop("function"), "depth": depth, "line": line}
    return arrow.table(first | named | bits | {"path": path})


def _import() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.compute
    except ImportError as error:
        raise UsageError('Arrow tables and Parquet need pyarrow; install it with: pip install "foretrace[arrow]"') from error
    return pyarrow, pyarrow.compute


def _columns(data: bytes, partial: bool) -> Columns:
    """The same columns where the extension was not built."""
    numbers = tuple(array("i") for _ in range(5))
    offsets, contents = tuple(array("q", [0]) for _ in _TEXTS), tuple(bytearray() for _ in _TEXTS)
    for at, trace in enumerate(read_binary(data, partial=partial)):
        for frame in trace.frames:
            flags = sum(bit for name, bit in _FLAGS.items() if getattr(frame, name))
            for column, number in zip(numbers, (at, EVENTS.index(frame.event), flags, frame.depth, frame.line), strict=True):
                column.append(number)
            state = "" if frame.locals is None else _dump(frame.locals)
            texts = (frame.path or trace.header.path, frame.function, frame.source, state, frame.value or "")
            for text, content, ends in zip(texts, contents, offsets, strict=True):
                content += text.encode("utf-8", "surrogatepass")
                ends.append(len(content))
    return numbers, tuple((ends, bytes(content)) for ends, content in zip(offsets, contents, strict=True))


def write_parquet(table: "pyarrow.Table", path: str | os.PathLike[str]) -> None:
    """Writes a table to a Parquet file."""
    import pyarrow.parquet

    pyarrow.parquet.write_table(table, os.fspath(path), compression="zstd")
