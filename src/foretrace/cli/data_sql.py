"""`foretrace data sql`."""

import csv
import json
import sys
from base64 import b64encode
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretrace.cli import options
from foretrace.errors import UsageError

if TYPE_CHECKING:
    from foretrace.data.query import Answer

_CELL = 60


@click.command(
    "sql",
    epilog="""\b
Examples:
  foretrace data sql traces/ "SELECT kind, count(*) FROM traces GROUP BY 1"
  foretrace data sql traces/ "SELECT number, name, entry FROM traces WHERE tokens > 5000 ORDER BY tokens"
  foretrace data sql traces/ "SELECT stage, reason, count(*) AS n FROM drops GROUP BY ALL ORDER BY n DESC"
  foretrace data sql traces/ "DESCRIBE traces"
  foretrace data sql traces/ "SELECT id, source FROM traces" --json > sources.jsonl
""",
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("query", metavar="SQL")
@click.option("--rows", type=click.IntRange(min=1), default=100, show_default=True, metavar="N", help="Lines of the table.")
@click.option("--csv", "as_csv", is_flag=True, help="All rows, as CSV on standard output.")
@options.as_json
def command(folder: Path, query: str, rows: int, as_csv: bool, as_json: bool) -> None:
    """Query a dataset with SQL, by DuckDB.

    The tables are traces, with the number of each, and drops; their columns: DESCRIBE traces. Nothing can be changed.
    """
    from foretrace.data.dataset import open_dataset
    from foretrace.data.query import run

    if as_csv and as_json:
        raise UsageError("--csv and --json exclude each other")
    dataset = open_dataset(folder)
    with run(dataset, query) as answer:
        if as_csv:
            _write_csv(answer)
        elif as_json:
            for row in answer.rows:
                click.echo(json.dumps(dict(zip(answer.columns, row, strict=True)), default=_plain))
        else:
            _print_table(answer, rows)


def _write_csv(answer: "Answer") -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows([_field(value) for value in row] for row in answer.rows)


def _print_table(answer: "Answer", rows: int) -> None:
    from rich.table import Table

    from foretrace.cli.render import make_console

    shown = list(islice(answer.rows, rows))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for at, name in enumerate(answer.columns):
        is_number = all(isinstance(row[at], int | float) for row in shown) and bool(shown)
        table.add_column(_cell(name), justify="right" if is_number else "left", no_wrap=True, overflow="ellipsis")
    for row in shown:
        table.add_row(*(_cell(value) for value in row))
    make_console().print(table)
    more = _has_more(answer.rows)
    count = f"the first {len(shown):,} rows; more with --rows, all with --csv or --json" if more else _rows(len(shown))
    click.echo(count, err=True)


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _has_more(rows: Iterator[Any]) -> bool:
    return next(rows, None) is not None


def _cell(value: Any) -> Any:
    """A value on one line of a table."""
    from rich.text import Text

    from foretrace.data.printable import on_one_line

    if value is None:
        return Text("null", style="dim")
    if isinstance(value, bytes):
        return Text(f"({len(value):,} bytes)", style="dim")
    if isinstance(value, float):
        return Text(f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}")
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    text = Text(on_one_line(f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)))
    text.truncate(_CELL, overflow="ellipsis")
    return text


def _field(value: Any) -> Any:
    """A value of a CSV file: bytes in base64, lists as JSON."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return json.dumps(value, default=_plain) if isinstance(value, list | dict) else value


def _plain(value: Any) -> Any:
    """What JSON lacks: bytes in base64, decimals as numbers, dates as text."""
    from decimal import Decimal

    if isinstance(value, bytes):
        return b64encode(value).decode()
    return float(value) if isinstance(value, Decimal) else str(value)
