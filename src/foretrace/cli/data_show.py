"""`foretrace data show`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretrace.cli import options
from foretrace.errors import FormatError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from foretrace.trace import Trace


@click.command(
    "show",
    epilog="""\b
Examples:
  foretrace data show traces/ 1
  foretrace data show traces/ 3fa9c1 --tokens
  foretrace data show traces/ 3fa9c1 --tokens --ids --all
  foretrace data show traces/ 1 --wire > trace.txt
""",
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("wanted", metavar="ID|NUMBER")
@click.option("--tokens", "view", flag_value="tokens", help="Token by token, as a model reads it.")
@click.option("--wire", "view", flag_value="wire", help="The text that is made into tokens.")
@click.option("--narration", "view", flag_value="narration", help="In words, if the dataset was made with them.")
@click.option("--ids", is_flag=True, help="With --tokens: the id of each.")
@click.option("--all", "whole", is_flag=True, help="With --tokens: nothing is left out, however long.")
@click.option("--tokenizer", type=click.Path(path_type=Path), help="With --tokens: a tokenizer.json, or its folder.")
@options.as_json
def command(
    folder: Path, wanted: str, view: str | None, ids: bool, whole: bool, tokenizer: Path | None, as_json: bool
) -> None:
    """Show one trace of a dataset.

    It is given by its number, from 1, or by the beginning of its id.
    """
    from foretrace.data.browse import locate
    from foretrace.data.dataset import open_dataset

    if (ids or whole or tokenizer) and view != "tokens":
        raise UsageError("--ids, --all and --tokenizer are about tokens; add --tokens")
    dataset = open_dataset(folder)
    position = locate(dataset, wanted)
    [row] = dataset.traces.rows([position])
    trace = _trace(row)
    if as_json:
        options.trace_to_json(trace)
    elif view == "wire":
        _print_wire(trace)
    elif view == "narration":
        _print_narration(row)
    else:
        from foretrace.cli.render import make_console

        console = make_console()
        _print_origin(console, row, position)
        _print_steps(console, trace) if view is None else _print_tokens(console, trace, tokenizer, ids, whole)


def _trace(row: dict[str, Any]) -> "Trace":
    from foretrace.trace import read_binary

    try:
        return next(read_binary(row["trace"] or b""))
    except (FormatError, StopIteration) as error:
        raise FormatError(f"the trace {row['id']} is damaged: {str(error) or 'it is empty'}") from error


def _print_origin(console: "Console", row: dict[str, Any], position: int) -> None:
    from rich.text import Text

    from foretrace.data.printable import on_one_line

    place = f"{row['name']} {row['path']}" + (f":{row['line']}" if row["line"] else "")
    facts = f"{row['events']:,} events, {row['tokens']:,} tokens, covers {row['coverage'] or 0:.0%} of the entry"
    for text in (f"{position + 1:,}  {row['id']}", f"{row['kind']}: {place} · licence {row['licence']}", facts):
        console.print(Text(on_one_line(text), style="dim"))


def _print_steps(console: "Console", trace: "Trace") -> None:
    from foretrace.cli.render import print_trace
    from foretrace.data.printable import printable_trace

    print_trace(console, printable_trace(trace))


def _print_wire(trace: "Trace") -> None:
    """To a file exactly as it is; to a terminal without what would steer it."""
    from foretrace.data.printable import printable
    from foretrace.trace import to_segments, to_text

    text = to_text(to_segments(trace))
    if sys.stdout.isatty():
        click.echo(printable(text))
    else:
        click.echo(text.encode("utf-8", "backslashreplace"), nl=False)


def _print_narration(row: dict[str, Any]) -> None:
    from foretrace.data.printable import printable

    if not row["narration"]:
        raise UsageError("the dataset was made without narration; leave --narration away to see the steps")
    click.echo(printable(row["narration"]))


def _print_tokens(console: "Console", trace: "Trace", file: Path | None, ids: bool, whole: bool) -> None:
    from foretrace.cli.data_tokens import print_tokens
    from foretrace.data.token_view import pieces
    from foretrace.data.tokenizer import Tokenizer
    from foretrace.engine.load import packaged_checkpoints

    tokenizer = Tokenizer.load(file or packaged_checkpoints().get("tiny", Path("tokenizer.json")))
    print_tokens(console, pieces(tokenizer, trace), ids=ids, whole=whole)
