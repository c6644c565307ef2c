"""SQL over a dataset of traces, by DuckDB: views `traces` (with `number`, from 1) and `drops`; nothing can be changed.

    with run(dataset, "SELECT kind, count(*) FROM traces GROUP BY 1") as answer:
        answer.columns, answer.rows

DuckDB is shut in: only a query is accepted, and it reads the dataset's own files alone.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from foretrace.data.dataset import Dataset, Part
from foretrace.data.schema import COLUMNS, DROP_COLUMNS
from foretrace.errors import UsageError

_TYPES = {"int32": "INTEGER", "bool": "BOOLEAN", "float": "FLOAT", "binary": "BLOB", "list<string>": "VARCHAR[]"}
_FETCHED = 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gives; its rows are made as they are read."""

    columns: list[str]
    rows: Iterator[tuple[Any, ...]]


@contextmanager
def run(dataset: Dataset, query: str) -> Iterator[Answer]:
    """The answer to one query.

    Raises:
        UsageError: DuckDB is not installed, or the query is wrong; the message says where.
        FormatError: a file is damaged.

    """
    duckdb = _import()
    with tempfile.TemporaryDirectory(prefix="foretrace-") as spill, duckdb.connect(":memory:") as connection:
        try:
            _check(duckdb, query)
            _make_views(connection, dataset, spill)
            result = connection.execute(query)
            yield Answer([column[0] for column in result.description], _rows(duckdb, result))
        except duckdb.Error as error:
            raise _wrong(error) from error


def positions(dataset: Dataset, condition: str) -> list[int]:
    """The rows of traces that fulfil a condition, as in `WHERE condition`, in order.

    Raises:
        UsageError: see `run`.

    """
    with run(dataset, f"SELECT number FROM traces WHERE (\n{condition}\n) ORDER BY number") as answer:
        return [row[0] - 1 for row in answer.rows]


def _import() -> Any:
    try:
        import duckdb
    except ImportError as error:
        raise UsageError('SQL needs DuckDB; install it with: pip install "foretrace[data]"') from error
    return duckdb


def _check(duckdb: Any, query: str) -> None:
    statements = duckdb.extract_statements(query)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise UsageError("a dataset is only read: give one SELECT (or FROM, WITH, DESCRIBE, SUMMARIZE)")


def _make_views(connection: Any, dataset: Dataset, spill: str) -> None:
    """Defines the views and locks everything else."""
    for name, part, columns in (("traces", dataset.traces, COLUMNS), ("drops", dataset.drops, DROP_COLUMNS)):
        connection.execute(f"CREATE VIEW {name} AS {_view(part, columns, numbered=name == 'traces')}")
    files = ", ".join(_quoted(str(file)) for part in (dataset.traces, dataset.drops) for file in part.files)
    connection.execute(f"SET temp_directory = {_quoted(spill)}")
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute(f"SET allowed_paths = [{files}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _view(part: Part, columns: dict[str, tuple[str, str]], *, numbered: bool) -> str:
    if not part.files:
        empty = [f"NULL::{_TYPES.get(kind, 'VARCHAR')} AS {name}" for name, (kind, _) in columns.items()]
        return f"SELECT {', '.join(['NULL::BIGINT AS number'] * numbered + empty)} WHERE false"
    files = ", ".join(_quoted(str(file)) for file in part.files)
    if not numbered:
        return f"SELECT * FROM read_parquet([{files}])"
    starts = ", ".join(f"{_quoted(str(file))}: {start}" for file, start in zip(part.files, part.starts, strict=True))
    return (
        f"SELECT MAP {{{starts}}}[filename] + file_row_number + 1 AS number, * EXCLUDE (filename, file_row_number) "
        f"FROM read_parquet([{files}], filename = true, file_row_number = true)"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _rows(duckdb: Any, result: Any) -> Iterator[tuple[Any, ...]]:
    try:
        while rows := result.fetchmany(_FETCHED):
            yield from rows
    except duckdb.Error as error:
        raise _wrong(error) from error


def _wrong(error: Exception) -> UsageError:
    return UsageError(f"DuckDB cannot answer that: {str(error).strip()}")
