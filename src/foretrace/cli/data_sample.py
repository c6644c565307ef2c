"""`foretrace data sample`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

_LINES = 16
_COLUMNS = ("id", "kind", "name", "path", "line", "source", "entry", "arguments", "outcome", "value", "events", "tokens")


@click.command(
    "sample",
    epilog="""\b
Examples:
  foretrace data sample traces/
  foretrace data sample traces/ -n 3 --seed 7
  foretrace data sample traces/ --where "outcome = 'raised' AND tokens < 500"
""",
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-n", "number", type=click.IntRange(min=1), default=5, show_default=True, help="How many.")
@click.option("--where", "condition", metavar="SQL", help="Only of the traces that fulfil this.")
@click.option("--seed", default=0, show_default=True, help="The same seed draws the same traces.")
def command(folder: Path, number: int, condition: str | None, seed: int) -> None:
    """Show some traces at random: where each is from, its source, the call, and what came of it."""
    from foretrace.cli.render import make_console
    from foretrace.data.browse import draw
    from foretrace.data.dataset import open_dataset

    dataset = open_dataset(folder)
    positions: Any = range(len(dataset.traces))
    if condition:
        from foretrace.data.query import positions as fulfilling

        positions = fulfilling(dataset, condition)
    drawn = draw(positions, number, seed)
    console = make_console()
    for at, row in zip(drawn, dataset.traces.rows(drawn, _COLUMNS), strict=True):
        _print_briefly(console, row, at)
    among = f"{len(positions):,}" + (f" that fulfil it, of {len(dataset.traces):,}" if condition else "")
    click.echo(f"{len(drawn)} of {among}; see the steps of one: foretrace data show {folder} NUMBER", err=True)


def _print_briefly(console: "Console", row: dict[str, Any], position: int) -> None:
    from rich.syntax import Syntax
    from rich.text import Text

    from foretrace.data.printable import on_one_line, printable

    place = f"{row['name']} {row['path']}" + (f":{row['line']}" if row["line"] else "")
    title = Text(f"{position + 1:,}", style="bold")
    title.append(f"  {row['id'][:12]}  {row['kind']}: {on_one_line(place)}", style="not bold dim")
    title.append(f"  {row['events']:,} events, {row['tokens']:,} tokens", style="not bold dim")
    console.print(title, no_wrap=True, overflow="ellipsis")
    lines = printable(row["source"]).strip("\n").split("\n")
    code = "\n".join(lines[:_LINES])
    console.print(Syntax(code, "python", theme="ansi_dark", background_color="default", padding=(0, 2)))
    if len(lines) > _LINES:
        console.print(Text(f"  … {len(lines) - _LINES:,} more lines", style="dim"))
    console.print(_call(row), no_wrap=True, overflow="ellipsis", end="\n\n")


def _call(row: dict[str, Any]) -> Any:
    from rich.text import Text

    from foretrace.data.printable import on_one_line

    what = f"{row['entry']}({row['arguments']})" if row["entry"] != "<module>" else f"standard input {row['arguments']!r}"
    verb = {"returned": "returns", "raised": "raises"}.get(row["outcome"], row["outcome"])
    text = Text(f"  {on_one_line(what)}", style="bold")
    return text.append(f"  {verb} = {on_one_line(row['value'] or '')}", style="bold yellow" if verb == "raises" else "bold")
