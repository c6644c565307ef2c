r"""Binary v1: traces as the recorders write them; each frame holds only what changed in its scope.

    data = to_binary([trace])
    [trace] = read_binary(data)

A stream is a sequence of records. A record starts with its kind; numbers are LEB128 varints (`int` below), signed ones
zigzag-coded (`sint`); a text is its length in bytes and UTF-8 with lone surrogates passed through:

    kind  record          content
    0x46  stream header   "TB" 0x01, text: JSON of what all traces of the stream share. Tables below start afresh
    0x01  file            text: path, text: source. Files are numbered from 0 as they appear
    0x02  string          text. Numbered likewise
    0x03  trace           -
    0x04  end             outcome (byte), text: detail, int: threads not recorded
    0x80  frame           bits 0-1 event; 2 unwind, 3 suspended, 4 resumed, 5 explicit
          call            int: file, int: string of the function's name, int: line; [explicit]; edits
          call, resumed   int: age; if it is 0 as above, else sint: line less the scope's last line; [explicit]; edits
          line            sint: line less the scope's last line; [explicit]; edits
          return, exception   sint: line less the scope's last line; [explicit]; text: value
          explicit        text: function, text: source line (where they do not follow from the scope and the file)
          edits           int: 2 * number of edits + whether names are gone
                          [int: number of names gone, int each: position before]
                          each edit: int: 2 * position now + whether the name is new; [int: string of the name]; text

A call opens a scope without locals; a return, or an exception with `unwind`, closes it. A scope that is suspended is kept,
and a call with an `age` goes on with it: with the last one that was suspended if it is 1, with the one before if it is 2. A
frame's depth is the number of open scopes below its own. The recorder in C writes the same (`record/native`), and
`trace/native` reads it.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from itertools import islice

from foretrace.errors import FormatError
from foretrace.trace.types import Event, Frame, Header, Limits, Outcome, Trace
from foretrace.trace.wire import to_segments, to_text

try:
    from foretrace.trace import _binary as _binary  # type: ignore[attr-defined]
except ImportError:  # there was no compiler when this was installed
    _binary = None

MAGIC = b"FTB\x01"
FILE, STRING, TRACE, END = 1, 2, 3, 4
FRAME, UNWIND, SUSPENDED, RESUMED, EXPLICIT = 0x80, 4, 8, 16, 32
MAX_AGE = 128
"""Suspensions after which a scope is no longer kept; what resumes it then says everything again."""
MAX_NUMBERED = 1 << 16
"""Files and strings of a stream; a writer that has numbered so many opens another before the next trace."""
EVENTS = tuple(Event)
OUTCOMES = tuple(Outcome)
_EVENT_CODES = {event: code for code, event in enumerate(EVENTS)}
_SHARED = ("kind", "model", "python", "hash_seed")
_LIMITS = tuple(f.name for f in fields(Limits))
_JSON = json.JSONEncoder(separators=(",", ":"))


def header_record(header: Header) -> bytes:
    """The record that opens a stream. An `entry` that is not empty names the entry of every trace of the stream."""
    limits = {name: getattr(header.limits, name) for name in _LIMITS} if header.limits else None
    shared = {name: getattr(header, name) for name in _SHARED} | {"limits": limits}
    if header.entry:
        shared["entry"] = header.entry
    return MAGIC + _text(_JSON.encode(shared))


@dataclass(slots=True)
class _Scope:
    path: str
    function: str
    line: int
    locals: dict[str, str] = field(default_factory=dict)


class BinaryWriter:
    """Writes the records of one stream as they become known."""

    def __init__(self, write: Callable[[bytes], object], opening: bytes) -> None:
        """`opening` is a `header_record`."""
        self.write, self.opening = write, opening
        self._scopes: list[_Scope] = []
        self._kept: dict[int, tuple[int, _Scope]] = {}
        self._suspensions = 0
        self._open()

    def _open(self) -> None:
        self.write(self.opening)
        self._files: dict[str, int] = {}
        self._strings: dict[str, int] = {}

    def begin(self) -> None:
        """Starts a trace."""
        if len(self._files) + len(self._strings) >= MAX_NUMBERED:
            self._open()
        self._scopes, self._kept, self._suspensions = [], {}, 0
        self.write(bytes([TRACE]))

    def forget(self, key: int) -> None:
        """A scope that was suspended cannot go on: `key` is another's now."""
        self._kept.pop(key, None)

    def frame(self, frame: Frame, path: str, lines: list[str], key: int = 0) -> None:
        """Writes a frame of the file `path`, whose source is `lines`; `key` tells scopes that are suspended apart."""
        tables = bytearray()
        flags = UNWIND * frame.unwind | SUSPENDED * frame.suspended | RESUMED * frame.resumed
        if frame.event is Event.CALL:
            place = self._enter(frame, path, lines, key, tables)
        else:
            if not self._scopes:
                raise FormatError(
                    f"a {frame.event} frame stands outside any call; the first frame of a trace must be a call"
                )
            place = _sint(frame.line - self._scopes[-1].line)
        scope = self._scopes[-1]
        scope.line = frame.line
        source = lines[frame.line - 1] if 0 < frame.line <= len(lines) else ""
        explicit = (frame.function, frame.source) != (scope.function, source)
        told = _text(frame.function) + _text(frame.source) if explicit else b""
        if frame.event in (Event.CALL, Event.LINE):
            content = self._edits(scope.locals, frame.state, tables)
            scope.locals = frame.state
        else:
            content = _text(frame.value or "")
        kind = FRAME | _EVENT_CODES[frame.event] | flags | (EXPLICIT if explicit else 0)
        self.write(bytes(tables) + bytes([kind]) + place + told + content)
        if frame.event is Event.RETURN or frame.unwind:
            self._scopes.pop()
        if frame.suspended:
            self._suspensions += 1
            if key:
                self._kept[key] = self._suspensions, scope

    def _enter(self, frame: Frame, path: str, lines: list[str], key: int, tables: bytearray) -> bytes:
        """Opens a scope, or goes on with one that was suspended."""
        number, kept = self._kept.pop(key, (0, None)) if frame.resumed else (0, None)
        age = self._suspensions - number + 1
        if kept is not None and age <= MAX_AGE:
            self._scopes.append(kept)
            return _int(age) + _sint(frame.line - kept.line)
        self._scopes.append(_Scope(path, frame.function, frame.line))
        place = _int(self._file(path, lines, tables)) + _int(self._string(frame.function, tables)) + _int(frame.line)
        return _int(0) + place if frame.resumed else place

    def end(self, outcome: Outcome, detail: str = "", threads: int = 0) -> None:
        """Ends the trace."""
        self.write(bytes([END, OUTCOMES.index(outcome)]) + _text(detail) + _int(threads))

    def _file(self, path: str, lines: list[str], tables: bytearray) -> int:
        if path not in self._files:
            self._files[path] = len(self._files)
            tables += bytes([FILE]) + _text(path) + _text("\n".join(lines))
        return self._files[path]

    def _string(self, text: str, tables: bytearray) -> int:
        if text not in self._strings:
            self._strings[text] = len(self._strings)
            tables += bytes([STRING]) + _text(text)
        return self._strings[text]

    def _edits(self, before: dict[str, str], now: dict[str, str], tables: bytearray) -> bytes:
        """What turns the ordered names and texts `before` into `now`."""
        kept = [name for name in before if name in now]
        if kept != [name for name in now if name in before]:
            kept = []  # the order has changed: everything is said again
        stays = set(kept)
        gone = [at for at, name in enumerate(before) if name not in stays]
        edits, count = bytearray(), 0
        for at, (name, text) in enumerate(now.items()):
            if name in stays and before[name] == text:
                continue
            count += 1
            edits += _int(2 * at) if name in stays else _int(2 * at + 1) + _int(self._string(name, tables))
            edits += _text(text)
        listed = _int(len(gone)) + b"".join(map(_int, gone)) if gone else b""
        return _int(2 * count + bool(gone)) + listed + bytes(edits)


def to_binary(traces: Iterable[Trace]) -> bytes:
    """All traces, each in a stream of its own: such streams may be joined."""
    out = bytearray()
    for trace in traces:
        header = trace.header
        writer = BinaryWriter(out.extend, header_record(header))
        texts = {"": (header.path, header.source)} | {path: (path, text) for path, text in header.files.items()}
        files = {path: (name, text.split("\n")) for path, (name, text) in texts.items()}
        writer.begin()
        for frame in trace.frames:
            writer.frame(frame, *files[frame.path])
        writer.end(header.outcome, header.detail, header.threads_unrecorded)
    return bytes(out)


def read_binary(data: bytes, *, partial: bool = False, only: int | None = None) -> Iterator[Trace]:
    """Reads the traces of one or more streams.

    Args:
        partial: accept a last trace that was cut off or is damaged, as truncated (detail `cut off` or `damaged`);
            otherwise that is an error.
        only: the number of the one trace that is wanted, from 0.

    Raises:
        FormatError: a record is damaged; the message names its offset.

    """
    if _binary is None:
        traces = _Reader(data).traces(partial)
        yield from traces if only is None else islice(traces, only, only + 1)
        return
    for shared, path, source, files, frames, outcome, detail, threads in _binary.frames(
        data, partial, FormatError, Frame, EVENTS, -1 if only is None else only
    ):
        try:
            header = _shared(shared)
        except FormatError:
            if not partial:
                raise
            return
        yield _trace(header, path, source, files, frames, OUTCOMES[outcome], detail, threads)


def binary_to_wire(data: bytes, *, partial: bool = False) -> bytes:
    """The wire documents of all traces of a stream, one after the other, in UTF-8.

    Raises:
        FormatError: see `read_binary`.

    """
    if _binary is not None:
        return bytes(_binary.wire(data, partial, FormatError))
    return b"".join(to_text(to_segments(trace)).encode() for trace in _Reader(data).traces(partial))


def _shared(text: str) -> Header:
    """The header that all traces of a stream share."""
    try:
        shared = json.loads(text)
        limits = Limits(**shared["limits"]) if shared["limits"] else None
        return Header(source="", entry=shared.get("entry", ""), limits=limits, **{name: shared[name] for name in _SHARED})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(f"the header of a stream is damaged (binary v1): {error!r}") from error


def _trace(
    shared: Header,
    path: str,
    source: str,
    files: dict[str, str],
    frames: tuple[Frame, ...],
    outcome: Outcome,
    detail: str,
    threads: int,
) -> Trace:
    first = frames[0]
    header = replace(
        shared,
        source=source,
        entry=shared.entry or first.function,
        path=path,
        files=files,
        arguments=dict(first.state),
        outcome=outcome,
        detail=detail,
        threads_unrecorded=threads,
    )
    return Trace(header, frames)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        self.header = Header(source="", entry="")
        self.files: list[tuple[str, list[str]]] = []
        self.strings: list[str] = []
        self.frames: list[tuple[str, Frame]] = []
        self.scopes: list[_Scope] = []
        self.kept: dict[int, _Scope] = {}
        self.suspensions = 0
        self.is_open = False

    def traces(self, partial: bool) -> Iterator[Trace]:
        why = "cut off"
        while self.at < len(self.data):
            start = self.at
            try:
                trace = self._record()
            except (IndexError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
                if partial:
                    why = "cut off" if self.at >= len(self.data) else "damaged"
                    break
                reason = str(error) if isinstance(error, FormatError) else repr(error)
                raise FormatError(f"the record at byte {start} is not one of a trace (binary v1): {reason}") from error
            if trace is not None:
                yield trace
        if self.is_open:
            if not partial:
                raise FormatError("the file ends within a trace; read it with partial=True to keep the frames so far")
            if trace := self._closed(Outcome.TRUNCATED, why, 0):
                yield trace

    def _record(self) -> Trace | None:
        kind = self.data[self.at]
        if self.data.startswith(MAGIC, self.at):
            self.at += len(MAGIC)
            self.header = _shared(self._text())
            self.files, self.strings, self.is_open = [], [], False
            return None
        self.at += 1
        if kind >= FRAME and self.is_open:
            self._frame(kind)
        elif kind == FILE:
            self.files.append((self._text(), self._text().split("\n")))
        elif kind == STRING:
            self.strings.append(self._text())
        elif kind == TRACE and not self.is_open:
            self.is_open, self.frames, self.scopes = True, [], []
            self.kept, self.suspensions = {}, 0
        elif kind == END and self.is_open:
            self.at += 1
            outcome = OUTCOMES[self.data[self.at - 1]]
            return self._closed(outcome, self._text(), self._int())
        else:
            raise FormatError(f"a record of kind {kind} cannot stand here")
        return None

    def _closed(self, outcome: Outcome, detail: str, threads: int) -> Trace | None:
        """The trace that ends here, if it has frames: the closing of a generator may have left none."""
        self.is_open = False
        if not self.frames:
            return None
        path = self.frames[0][0]
        sources = {name: "\n".join(lines) for name, lines in self.files}
        others = {name: sources[name] for name in dict.fromkeys(name for name, _ in self.frames) if name != path}
        frames = tuple(f if name == path else replace(f, path=name) for name, f in self.frames)
        return _trace(self.header, path, sources[path], others, frames, outcome, detail, threads)

    def _frame(self, kind: int) -> None:
        event = EVENTS[kind & 3]
        if event is Event.CALL:
            self._enter(bool(kind & RESUMED))
        else:
            self.scopes[-1].line += self._sint()
        scope = self.scopes[-1]
        function, source = scope.function, self._source(scope)
        if kind & EXPLICIT:
            function, source = self._text(), self._text()
        state = value = None
        if event in (Event.CALL, Event.LINE):
            scope.locals = state = self._edited(scope.locals)
        else:
            value = self._text()
        unwind, suspended, resumed = bool(kind & UNWIND), bool(kind & SUSPENDED), bool(kind & RESUMED)
        depth = len(self.scopes) - 1
        frame = Frame(event, function, depth, scope.line, source, state, value, unwind, suspended, resumed)
        self.frames.append((scope.path, frame))
        if event is Event.RETURN or unwind:
            self.scopes.pop()
        if suspended:
            self.suspensions += 1
            self.kept[self.suspensions] = scope
            self.kept.pop(self.suspensions - MAX_AGE, None)

    def _enter(self, resumed: bool) -> None:
        age = self._int() if resumed else 0
        if age:
            self.scopes.append(self.kept.pop(self.suspensions - age + 1))
            self.scopes[-1].line += self._sint()
        else:
            path, function = self.files[self._int()][0], self.strings[self._int()]
            self.scopes.append(_Scope(path, function, self._int()))

    def _source(self, scope: _Scope) -> str:
        lines = next(lines for path, lines in self.files if path == scope.path)
        return lines[scope.line - 1] if 0 < scope.line <= len(lines) else ""

    def _edited(self, before: dict[str, str]) -> dict[str, str]:
        count = self._int()
        gone = {self._int() for _ in range(self._int())} if count & 1 else set()
        items = [item for at, item in enumerate(before.items()) if at not in gone]
        for _ in range(count >> 1):
            at = self._int()
            if at & 1:
                name = self.strings[self._int()]
                items.insert(at >> 1, (name, self._text()))
            else:
                items[at >> 1] = items[at >> 1][0], self._text()
        return dict(items)

    def _int(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def _sint(self) -> int:
        value = self._int()
        return (value >> 1) ^ -(value & 1)

    def _text(self) -> str:
        size = self._int()
        if self.at + size > len(self.data):
            self.at = len(self.data)
            raise FormatError("it is cut off")
        self.at += size
        return self.data[self.at - size : self.at].decode("utf-8", "surrogatepass")


def _int(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _sint(value: int) -> bytes:
    return _int(2 * value if value >= 0 else -2 * value - 1)


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return _int(len(data)) + data
