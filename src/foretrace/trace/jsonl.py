"""JSON Lines v1: traces on disk and between processes. Append-only, so that a reader can follow a writer.

A trace is a header line `{"v": 1, "kind": …}`, one line a frame, and a closing line `{"end": outcome}`. A frame writes only
what changed in its scope: `set` new texts, `del` names that are gone; a scope's first frame sets everything.

    with open(path, "w") as file: write_jsonl(trace, file)
    [trace] = read_jsonl(open(path))
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any, TextIO

from foretrace.errors import FormatError
from foretrace.trace.types import Event, Frame, Header, Limits, Outcome, Trace

VERSION = 1
_FLAGS = ("unwind", "suspended", "resumed")


def write_jsonl(trace: Trace, file: TextIO) -> None:
    """Appends `trace` to `file`."""
    file.write(header_line(trace.header))
    writer = FrameWriter()
    for frame in trace.frames:
        file.write(writer.line(frame))
    file.write(end_line(trace.header))


def header_line(header: Header) -> str:
    """The first line of a trace."""
    limits = asdict(header.limits) if header.limits else None
    values = {
        "v": VERSION,
        "kind": header.kind,
        "source": {"path": header.path, "text": header.source},
        **({"files": header.files} if header.files else {}),
        "entry": header.entry,
        "args": header.arguments,
        "model": header.model,
        "python": header.python,
        "hash_seed": header.hash_seed,
        "limits": limits,
    }
    return _line(values)


def end_line(header: Header) -> str:
    """The last line of a trace."""
    values = {"end": header.outcome, "detail": header.detail, "threads_unrecorded": header.threads_unrecorded}
    return _line(values)


class FrameWriter:
    """Writes the frames of one trace; remembers each open scope's state."""

    def __init__(self) -> None:
        self._states: dict[int, dict[str, str]] = {}
        self._count = 0

    def line(self, frame: Frame) -> str:
        """The line of the next frame."""
        values: dict[str, Any] = {
            "i": self._count,
            "ev": frame.event,
            "fn": frame.function,
            "depth": frame.depth,
            "line": frame.line,
            "src": frame.source,
        }
        self._count += 1
        if frame.locals is not None:
            before = {} if frame.event is Event.CALL else self._states.get(frame.depth, {})
            changed = {n: t for n, t in frame.locals.items() if before.get(n) != t}
            after = {**before, **changed}
            gone = [n for n in before if n not in frame.locals]
            if [n for n in after if n not in gone] != list(frame.locals):
                changed, gone = frame.locals, list(before)  # the order changed: say it all again
            values |= {"set": changed} | ({"del": gone} if gone else {})
            self._states[frame.depth] = frame.locals
        if frame.value is not None:
            values["value"] = frame.value
        if frame.path:
            values["file"] = frame.path
        return _line(values | {flag: True for flag in _FLAGS if getattr(frame, flag)})


def read_jsonl(lines: Iterable[str], *, partial: bool = False) -> Iterator[Trace]:
    """Reads traces one after the other.

    Args:
        partial: accept a last trace that was cut off, as truncated; otherwise that is an error.

    Raises:
        FormatError: a line is not one of a trace; the message names the line.

    """
    header: Header | None = None
    frames: list[Frame] = []
    states: dict[int, dict[str, str]] = {}
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            if header is None:
                header, frames, states = _header(record), [], {}
            elif "end" in record:
                yield Trace(_closed(header, record), tuple(frames))
                header = None
            else:
                frames.append(_frame(record, states))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            if partial and (header is not None or not line.endswith("\n")):
                break
            raise FormatError(f"line {number} is not part of a trace (JSON Lines v{VERSION}): {_reason(error)}") from error
    if header is not None:
        if not partial:
            raise FormatError("the file ends within a trace; read it with partial=True to keep the frames so far")
        yield Trace(replace(header, outcome=Outcome.TRUNCATED, detail="cut off"), tuple(frames))


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, FormatError) else repr(error)


def _header(record: dict[str, Any]) -> Header:
    if record["v"] != VERSION:
        raise FormatError(f"version {record['v']}, this program reads {VERSION}")
    return Header(
        source=_text(record["source"], "text"),
        path=_text(record["source"], "path"),
        files=_texts(record.get("files", {})),
        entry=_text(record, "entry"),
        arguments=_texts(record["args"]),
        kind=_text(record, "kind"),
        model=record["model"] if record["model"] is None else _text(record, "model"),
        python=_text(record, "python"),
        hash_seed=record["hash_seed"],
        limits=Limits(**record["limits"]) if record["limits"] else None,
    )


def _closed(header: Header, record: dict[str, Any]) -> Header:
    threads = int(record["threads_unrecorded"])
    return replace(header, outcome=Outcome(record["end"]), detail=_text(record, "detail"), threads_unrecorded=threads)


def _text(record: dict[str, Any], name: str) -> str:
    text = record[name]
    if not isinstance(text, str):
        raise TypeError(f"{name} is not a string")
    return text


def _texts(values: dict[str, Any]) -> dict[str, str]:
    return {name: _text(values, name) for name in values}


def _frame(record: dict[str, Any], states: dict[int, dict[str, str]]) -> Frame:
    event, depth = Event(record["ev"]), int(record["depth"])
    state = None
    if "set" in record:
        before = {} if event is Event.CALL else states.get(depth, {})
        gone = set(record.get("del", ()))
        state = {n: t for n, t in before.items() if n not in gone} | _texts(record["set"])
        states[depth] = state
    flags = {flag: True for flag in _FLAGS if record.get(flag)}
    value = _text(record, "value") if "value" in record else None
    path = _text(record, "file") if "file" in record else ""
    source = _text(record, "src")
    return Frame(event, _text(record, "fn"), depth, int(record["line"]), source, state, value, path=path, **flags)


def _line(values: dict[str, Any]) -> str:
    # lone surrogates are legal in Python strings but not in UTF-8: JSON's escapes carry them
    return json.dumps(values, ensure_ascii=True) + "\n"
