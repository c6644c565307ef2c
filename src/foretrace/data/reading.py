"""What a unit of sources holds, one example at a time; what is damaged is told, and the rest goes on.

for found in read(unit):
    if isinstance(found, Refused): print(found.reason, found.where, found.detail)
    else: print(found.where, found.content)
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretrace.data.chat import Message
from foretrace.data.conversations import conversation, parse_json
from foretrace.data.dataset import Part
from foretrace.data.trajectories import conversation_of
from foretrace.data.units import TEXT_COLUMNS, Unit, columns_of
from foretrace.errors import FormatError
from foretrace.forager.benchmarks import why_not
from foretrace.forager.journal import read_trajectory
from foretrace.record.sink import read_output
from foretrace.trace import Segment, Trace, binary_to_wire, from_text, read_binary, read_jsonl
from foretrace.trace.binary import MAGIC
from foretrace.trace.summary import summaries

Content = Trace | Sequence[Segment] | str | tuple[str, str] | tuple[Message, ...]
"""A trace, or its wire segments; a text; a source and its narration; a chat."""


@dataclass(frozen=True, slots=True)
class Example:
    """What can become a document."""

    where: str
    """For a message: file and row or line."""
    group: str
    """Examples of one group are all learnt from, or all held out: a program, a question, a text."""
    content: Content


@dataclass(frozen=True, slots=True)
class Refused:
    """What cannot."""

    where: str
    reason: str
    detail: str = ""


Found = Example | Refused
BENCHMARK = "of a benchmark's repository"
"""Why what an agent did in one is not learnt (CWM report, section 2.3)."""


def read(unit: Unit) -> Iterator[Found]:
    """The examples of a unit, in order.

    Raises:
        FormatError: a Parquet file is damaged.

    """
    if unit.form == "table":
        return _rows(unit)
    if unit.form == "recording":
        return _recording(Path(unit.files[0]))
    if unit.form == "episodes":
        return _episodes(unit)
    return _lines(unit) if unit.form == "lines" else _files(unit)


# ---------------------------------------------------------------------------------------------------
# Tables


def _rows(unit: Unit) -> Iterator[Found]:
    file = Path(unit.files[0])
    part, names = Part((file,), ()), columns_of(unit.material, file)
    before: dict[str, Any] | None = None
    first = max(unit.start - 1, 0)  # the row before tells whether the first one only repeats it
    for number, row in enumerate(part.rows(range(first, unit.end), names), first):
        repeats = unit.material == "text" and row == before  # traces of one program follow one another
        before = row
        if number < unit.start or repeats:
            continue
        where = f"{file}, row {number + 1}"
        try:
            yield _of_row(unit, row, where)
        except FormatError as error:
            yield Refused(where, f"damaged {unit.material}", str(error))


def _of_row(unit: Unit, row: dict[str, Any], where: str) -> Found:
    if unit.material == "trace":
        return Example(where, row["subject"] or "", _wire(row["trace"]))
    if unit.material == "narration":
        if not row["narration"]:
            return Refused(where, "no narration")
        return Example(where, row["subject"] or "", (row["source"], row["narration"]))
    if unit.material == "chat":
        return _chat(where, row)
    text = next(value for name, value in row.items() if name != "subject")
    return _text(where, text, row.get("subject"))


def _wire(data: bytes | None) -> list[Segment]:
    if not data:
        raise FormatError("the row has no trace")
    try:
        return from_text(binary_to_wire(data).decode())
    except UnicodeDecodeError as error:
        raise FormatError(f"the trace is not UTF-8: {error}") from error


# ---------------------------------------------------------------------------------------------------
# Files


def _recording(file: Path) -> Iterator[Found]:
    """The traces of a recording up to the first that is damaged; what comes after it cannot be read."""
    data = read_output(file)
    if not data.startswith(MAGIC):
        yield from _examples(file, read_jsonl(data.decode("utf-8", "replace").splitlines(keepends=True)))
        return
    try:
        summaries(data)
    except FormatError as error:
        whole = (trace for trace in read_binary(data, partial=True) if trace.header.detail not in ("cut off", "damaged"))
        yield from _examples(file, whole)
        yield Refused(str(file), "damaged recording", str(error))
    else:
        yield from _examples(file, read_binary(data))


def _examples(file: Path, traces: Iterable[Trace]) -> Iterator[Found]:
    number = 0
    try:
        for number, trace in enumerate(traces, 1):
            yield Example(f"{file}, trace {number}", trace.header.source, trace)
    except FormatError as error:
        yield Refused(f"{file}, after trace {number}", "damaged recording", str(error))


def _lines(unit: Unit) -> Iterator[Found]:
    """JSON Lines from the first one that begins at `start` or later to the last that begins before `end`."""
    file = Path(unit.files[0])
    counted = f" from byte {unit.start} on" if unit.start else ""
    with file.open("rb") as stream:
        if unit.start:
            stream.seek(unit.start - 1)
            stream.readline()  # the line that began before; if none did, only its end
        number = 0
        while stream.tell() < unit.end and (line := stream.readline()):
            number += 1
            where = f"{file}, line {number}{counted}"
            if line.strip():
                try:
                    yield _of_line(unit, line, where)
                except FormatError as error:
                    yield Refused(where, f"damaged {unit.material}", str(error))


def _of_line(unit: Unit, line: bytes, where: str) -> Found:
    if unit.material == "chat":
        return _chat(where, parse_json(line))
    content = parse_json(line)
    return _text(where, next((content[name] for name in TEXT_COLUMNS if name in content), None))


def _files(unit: Unit) -> Iterator[Found]:
    for name in unit.files:
        try:
            text = Path(name).read_bytes().decode()
        except UnicodeDecodeError as error:
            yield Refused(name, "not UTF-8 text", str(error))
        else:
            yield Refused(name, "not UTF-8 text", "it holds zeros") if "\0" in text else _text(name, text)


def _episodes(unit: Unit) -> Iterator[Found]:
    """Trajectories; those of one task are one group."""
    for name in unit.files:
        try:
            trajectory = read_trajectory(Path(name))
            if reason := why_not(trajectory.header.repo):
                yield Refused(name, BENCHMARK, reason)
            else:
                yield Example(name, trajectory.header.task, conversation_of(trajectory))
        except FormatError as error:
            yield Refused(name, "trajectory that cannot be told", str(error))


def _chat(where: str, content: Any) -> Found:
    """Chats about one program or task, or else those that begin with the same question, are one group."""
    messages = conversation(content)
    if reason := why_not(str(content.get("repo") or "")):
        return Refused(where, BENCHMARK, reason)
    asked = next((message.content for message in messages if message.role == "user"), messages[0].content)
    return Example(where, str(content.get("subject") or content.get("instance_id") or asked), messages)


def _text(where: str, text: Any, group: str | None = None) -> Found:
    if not isinstance(text, str):
        raise FormatError(f"it has no text in {' or '.join(TEXT_COLUMNS)}")
    return Example(where, group or text, text) if text.strip() else Refused(where, "empty")
