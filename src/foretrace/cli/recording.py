"""Traces in files, whatever their form: what `show`, `diff` and `record` read and write."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import click

from foretrace.errors import FormatError, UsageError
from foretrace.trace import Trace, binary_to_wire, read_binary, read_jsonl, to_binary, to_segments, to_text, write_jsonl
from foretrace.trace.binary import MAGIC
from foretrace.trace.summary import Summary, summaries, summarise

FORMS = {"binary": ".ftb", "jsonl": ".jsonl", "wire": ".txt", "parquet": ".parquet"}
form = click.option(
    "--form", type=click.Choice(tuple(FORMS)), help="What -o writes.  [default: by its suffix, .ftb .jsonl .txt .parquet]"
)
output = click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")


def form_of(output: Path) -> str:
    """The form that a file's suffix says, JSON Lines where it says none."""
    return next((form for form, suffix in FORMS.items() if output.suffix == suffix), "jsonl")


@dataclass(frozen=True, slots=True)
class Recording:
    """What a file holds: traces, or data in the binary form, of which only what is asked for is made into frames."""

    data: bytes = b""
    traces: Sequence[Trace] = ()

    def summaries(self) -> list[Summary]:
        """What each trace is of."""
        return summaries(self.data, partial=True) if self.data else summarise(self.traces)

    def trace(self, number: int) -> Trace:
        """One trace, counted from 1.

        Raises:
            UsageError: there are not so many.

        """
        found = (
            list(read_binary(self.data, partial=True, only=number - 1)) if self.data else self.traces[number - 1 : number]
        )
        if not found:
            raise UsageError(f"there is no trace {number}; there are {len(self.summaries())}")
        return found[0]

    def write(self, output: Path, form: str | None = None) -> None:
        """Writes all traces to a file; the form is that of its suffix if none is given.

        Raises:
            UsageError: Parquet is asked for and pyarrow is not installed.

        """
        form = form or form_of(output)
        if form == "parquet":
            self._write_parquet(output)
            return
        with output.open("wb") as file:
            if form == "jsonl":
                self._write_jsonl(file)
            else:
                file.write(self._binary() if form == "binary" else self._wire())

    def _all(self) -> Iterator[Trace]:
        return read_binary(self.data, partial=True) if self.data else iter(self.traces)

    def _write_jsonl(self, file: BinaryIO) -> None:
        import io

        text = io.TextIOWrapper(file, encoding="utf-8", write_through=True)
        for trace in self._all():
            write_jsonl(trace, text)
        text.detach()

    def _write_parquet(self, output: Path) -> None:
        from foretrace.trace.arrow import to_table, write_parquet

        write_parquet(to_table(self._binary()), output)

    def _wire(self) -> bytes:
        if self.data:
            return binary_to_wire(self.data, partial=True)
        return b"".join(to_text(to_segments(trace)).encode() for trace in self.traces)

    def _binary(self) -> bytes:
        """As it is, if it is whole."""
        try:
            summaries(self.data)
        except FormatError:
            return to_binary(self._all())
        return self.data or to_binary(self.traces)


def read_recording(path: Path, *, partial: bool = False) -> Recording:
    """Reads a file in the binary form, with its tail if there is one, or in JSON Lines.

    Args:
        partial: JSON Lines may be cut off; data in the binary form always may.

    Raises:
        UsageError: the file is missing or empty.
        FormatError: it is not a recording.

    """
    from foretrace.record.sink import read_output

    if not path.is_file():
        raise UsageError(f"no trace at {path}; make one with: foretrace record FILE::FUNCTION -o {path}")
    data = read_output(path)
    if data.startswith(MAGIC):
        recording = Recording(data)
    else:
        recording = Recording(traces=_read_lines(path, data, partial))
    if not recording.summaries():
        raise UsageError(f"{path} is empty; make a trace with: foretrace record FILE::FUNCTION -o {path}")
    return recording


def _read_lines(path: Path, data: bytes, partial: bool) -> tuple[Trace, ...]:
    if data.startswith(b"<|"):
        raise FormatError(
            f"{path} is the text that a model reads, which says less than a trace; record it as .ftb or .jsonl"
        )
    try:
        return tuple(read_jsonl(data.decode().splitlines(keepends=True), partial=partial))
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not a trace: it is not UTF-8 text ({error.reason} at byte {error.start})") from error
