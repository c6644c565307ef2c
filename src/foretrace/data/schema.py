"""The columns of a dataset of traces: Parquet, a row a trace, read alike by `datasets`, DuckDB, pandas and Polars.

The trace itself is in the binary form (`trace/binary.py`); the other columns say what it is of, so that one can look, filter
and count without reading a frame.
"""

from typing import TYPE_CHECKING, Any

from foretrace.errors import UsageError

if TYPE_CHECKING:
    import pyarrow

COLUMNS: dict[str, tuple[str, str]] = {
    "id": ("string", "fingerprint of source, entry and arguments"),
    "subject": ("string", "fingerprint of source and entry: traces of the same function share it"),
    "kind": ("string", "harvested, contest, test, synthesised or jsonl"),
    "name": ("string", "distribution and version, repository and commit, or file"),
    "path": ("string", "file in it"),
    "line": ("int32", "of the definition in that file; 0 if there is none"),
    "licence": ("string", "SPDX expression, or unknown"),
    "source": ("string", "the module that was executed"),
    "entry": ("string", "the function or method that was called; <module> for a script"),
    "arguments": ("string", "text of the argument list; of a script, its standard input"),
    "outcome": ("string", "returned or raised"),
    "value": ("string", "repr of what was returned or raised"),
    "passed": ("bool", "of a script with a known answer: whether it printed it; else null"),
    "events": ("int32", "frames of the trace"),
    "characters": ("int32", "of its text in CWM's format"),
    "tokens": ("int32", "of that text, by the packaged tokenizer, estimated from its length"),
    "depth": ("int32", "deepest call below the entry"),
    "functions": ("int32", "different functions that ran"),
    "coverage": ("float", "share of the entry's lines that this trace runs"),
    "constructs": ("list<string>", "statements and expressions of the source, as names of syntax nodes, sorted"),
    "value_types": ("list<string>", "kinds of values shown, sorted"),
    "narration": ("string", "the trace in words, where it was asked for; else null"),
    "trace": ("binary", "the trace in foretrace's binary form: foretrace.trace.read_binary"),
}
"""Name: type and meaning."""

DROP_COLUMNS: dict[str, tuple[str, str]] = {
    "subject": ("string", "fingerprint of source and entry, as in the traces"),
    "kind": ("string", "as in the traces"),
    "name": ("string", "distribution and version, repository and commit, or file"),
    "path": ("string", "file in it"),
    "line": ("int32", "of the definition in that file; 0 if there is none"),
    "entry": ("string", "the function or method; <module> for a script"),
    "arguments": ("string", "of the one call that was dropped; null if the whole subject was"),
    "stage": ("string", "harvest, decontamination, duplicates, arguments, record or filter"),
    "reason": ("string", "a few words, the same for all that were dropped for it"),
    "detail": ("string", "what is peculiar to this one: a message, a limit, what it repeats"),
}
"""Name: type and meaning. A row is a call that was dropped, or a subject none of whose calls were tried."""

STAGES = {
    "harvest": "it could not be taken out of its package",
    "decontamination": "it is too like a benchmark",
    "duplicates": "it repeats what is already there",
    "arguments": "no arguments could be found for it",
    "record": "it could not be recorded",
    "filter": "its trace was not wanted",
}
"""Where something is dropped, in the order of the pipeline, and what that means."""


def arrow_schema(metadata: dict[str, str] | None = None) -> "pyarrow.Schema":
    """The schema, each field with its meaning as metadata.

    Raises:
        UsageError: pyarrow is not installed.

    """
    return _schema(COLUMNS, metadata)


def drop_schema(metadata: dict[str, str] | None = None) -> "pyarrow.Schema":
    """The schema of what was dropped, likewise.

    Raises:
        UsageError: pyarrow is not installed.

    """
    return _schema(DROP_COLUMNS, metadata)


def _schema(columns: dict[str, tuple[str, str]], metadata: dict[str, str] | None) -> "pyarrow.Schema":
    arrow = import_arrow()
    types: dict[str, Any] = {
        "string": arrow.string(),
        "int32": arrow.int32(),
        "bool": arrow.bool_(),
        "float": arrow.float32(),
        "binary": arrow.binary(),
        "list<string>": arrow.list_(arrow.string()),
    }
    fields = [arrow.field(name, types[kind], metadata={"meaning": meaning}) for name, (kind, meaning) in columns.items()]
    return arrow.schema(fields, metadata=metadata)


def import_arrow() -> Any:
    """`pyarrow`.

    Raises:
        UsageError: it is not installed.

    """
    try:
        import pyarrow
    except ImportError as error:
        raise UsageError('datasets of traces need pyarrow; install it with: pip install "foretrace[data]"') from error
    return pyarrow
