"""The trace and its formats: the vocabulary every other station speaks."""

from foretrace.trace.binary import BinaryWriter, binary_to_wire, header_record, read_binary, to_binary
from foretrace.trace.diff import Diff, Divergence, diff
from foretrace.trace.jsonl import read_jsonl, write_jsonl
from foretrace.trace.lines import LinePlacer
from foretrace.trace.types import Event, Frame, Header, Limits, Outcome, Trace
from foretrace.trace.wire import (
    EVENT_TOKENS,
    START_MARKER,
    FrameParser,
    Segment,
    Token,
    WireWriter,
    frame_segments,
    from_segments,
    from_text,
    prompt_segments,
    to_segments,
    to_text,
)

__all__ = [
    "EVENT_TOKENS",
    "START_MARKER",
    "BinaryWriter",
    "Diff",
    "Divergence",
    "Event",
    "Frame",
    "FrameParser",
    "Header",
    "Limits",
    "LinePlacer",
    "Outcome",
    "Segment",
    "Token",
    "Trace",
    "WireWriter",
    "binary_to_wire",
    "diff",
    "frame_segments",
    "from_segments",
    "from_text",
    "header_record",
    "prompt_segments",
    "read_binary",
    "read_jsonl",
    "to_binary",
    "to_segments",
    "to_text",
    "write_jsonl",
]
