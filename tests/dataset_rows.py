"""A small real dataset of traces, as the pipeline would write it."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from foretrace.corpus import synthesise
from foretrace.corpus.types import digest
from foretrace.data.schema import arrow_schema, drop_schema
from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.load import packaged_checkpoints
from foretrace.errors import ForetraceError
from foretrace.record.program import record_program
from foretrace.trace import Trace, to_binary, to_segments, to_text

ORIGINS = (
    ("synthesised", "foretrace synthesiser", "Apache-2.0"),
    ("harvested", "toolz 1.0.0", "BSD-3-Clause"),
    ("harvested", "more-itertools 10.1.0", "MIT"),
    ("contest", "contest/two-sums", "CC-BY-4.0"),
)
MANIFEST = {
    "seed": 0,
    "python": "3.11.7",
    "sandbox": "process",
    "definition": {"sources": [{"kind": "synthesised", "count": 40}], "limits": {"max_events": 10_000}},
    "timing": {"seconds": 1.5},
}

Row = dict[str, Any]


def row_of(
    source: str, entry: str, arguments: str, trace: Trace, origin: tuple[str, str, str] = ORIGINS[0], **others: Any
) -> Row:
    """The row of one trace."""
    kind, name, licence = origin
    texts = {text for frame in trace.frames for text in [*frame.state.values(), frame.value or "None"]}
    text = to_text(to_segments(trace))
    tokenizer = Tokenizer.load(packaged_checkpoints()["tiny"])
    row = {
        "id": digest(source, entry, arguments),
        "subject": digest(source, entry),
        "kind": kind,
        "name": name,
        "path": f"{name.split()[0]}/functions.py",
        "line": 7,
        "licence": licence,
        "source": source,
        "entry": entry,
        "arguments": arguments,
        "outcome": str(trace.header.outcome),
        "value": trace.result or trace.exception or "",
        "passed": len(text) % 2 == 0 if kind == "contest" else None,
        "events": len(trace),
        "characters": len(text),
        "tokens": len(tokenizer.encode(to_segments(trace))),
        "depth": max(frame.depth for frame in trace.frames),
        "functions": len({frame.function for frame in trace.frames}),
        "coverage": 1 / (1 + len(trace) % 3),
        "constructs": sorted({type(node).__name__ for node in ast.walk(ast.parse(source))}),
        "value_types": sorted({_type_of(text) for text in texts}),
        "narration": None,
        "trace": to_binary([trace]),
    }
    return row | others


def _type_of(text: str) -> str:
    try:
        return type(ast.literal_eval(text)).__name__
    except (ValueError, SyntaxError):
        return "object"


def synthesised(count: int, first: int = 0) -> list[Row]:
    """Rows of so many synthesised programs."""
    rows = []
    for seed in range(first, first + count):
        program = synthesise(seed)
        try:
            trace = record_program(program.source, program.entry, program.arguments)
        except ForetraceError:
            continue
        rows.append(row_of(program.source, program.entry, program.arguments, trace, ORIGINS[seed % 7 % len(ORIGINS)]))
    return rows


def drop(entry: str, stage: str, reason: str, detail: str = "", arguments: str | None = None, **others: Any) -> Row:
    """A row of what was dropped."""
    place = {"kind": "harvested", "name": "toolz 1.0.0", "path": "toolz/itertoolz.py", "line": 12}
    row = {"subject": digest("dropped", entry), **place, "entry": entry, "arguments": arguments}
    return row | {"stage": stage, "reason": reason, "detail": detail} | others


DROPS = [
    drop("partition_all", "arguments", "no arguments", "12 tries, none of them bound"),
    drop("interleave", "arguments", "no arguments", "12 tries, none of them bound"),
    drop("sliding_window", "record", "time", "10 s were over", "10**9, range(10**9)"),
    drop("first", "filter", "impure", "it opened a file", "[1, 2]"),
    drop("first", "filter", "too long", "10,000 events", "range(10**6)"),
    drop("second", "duplicates", "the same", "as toolz 0.9::second"),
    drop("unique", "decontamination", "like cruxeval", "cruxeval/sample_17, 0.93 of its n-grams", "'abc'"),
]


def write_dataset(
    folder: Path, rows: list[Row], drops: list[Row] = DROPS, manifest: Any = MANIFEST, *, parts: int = 2
) -> Path:
    """Writes a dataset in so many parts."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    folder.mkdir(parents=True, exist_ok=True)
    size = -(-len(rows) // parts) or 1
    for part in range(parts):
        table = pyarrow.Table.from_pylist(rows[part * size : (part + 1) * size], arrow_schema())
        parquet.write_table(table, folder / f"traces-{part:05}.parquet", compression="zstd", row_group_size=8)
    parquet.write_table(pyarrow.Table.from_pylist(drops, drop_schema()), folder / "drops-00000.parquet", compression="zstd")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
