"""`foretrace data why`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretrace.cli import options

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from foretrace.data.browse import Fate

_LINES = 12


@click.command(
    "why",
    epilog="""\b
Examples:
  foretrace data why traces/ first
  foretrace data why traces/ "toolz 1.0.0::first"
  foretrace data why traces/ "toolz%::merge%"
  foretrace data why traces/ toolz/itertoolz.py
  foretrace data why traces/ 3fa9c1
""",
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("wanted", metavar="NAME|ID")
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, metavar="N", help="Programs to show.")
@options.as_json
def command(folder: Path, wanted: str, limit: int, as_json: bool) -> None:
    """Say what became of a program: its traces in the dataset, and every call that was dropped, where and why.

    It is given by a function's name, NAME::FUNCTION, part of a path, or the beginning of an id; % stands for any text.
    """
    from foretrace.data.browse import search
    from foretrace.data.dataset import open_dataset

    fates, more = search(open_dataset(folder), wanted, limit)
    if as_json:
        for fate in fates:
            options.write_json({"v": 1, **fate.place, "kept": fate.kept, "drops": fate.drops})
    else:
        from foretrace.cli.render import make_console

        console = make_console()
        for fate in fates:
            _print_fate(console, fate)
    if more:
        click.echo(f"{more:,} more programs are called so; show them with --limit, or say more", err=True)


def _print_fate(console: "Console", fate: "Fate") -> None:
    from rich.text import Text

    from foretrace.data.printable import on_one_line

    place = fate.place
    title = Text(on_one_line(f"{place['name']}::{place['entry']}"), style="bold")
    where = f"{place['path']}:{place['line']}" if place["line"] else place["path"]
    title.append(on_one_line(f"  {where}  {place['subject'][:12]}"), style="not bold dim")
    console.print(title, no_wrap=True, overflow="ellipsis")
    console.print(Text(f"  {_in_short(fate)}"))
    lines = [_kept(row) for row in fate.kept] + [_dropped(row, place) for row in fate.drops]
    for line in lines[:_LINES]:
        console.print(line)
    if len(lines) > _LINES:
        console.print(Text(f"  … {len(lines) - _LINES:,} more, see them with: --json", style="dim"))
    console.print()


def _in_short(fate: "Fate") -> str:
    kept = f"{len(fate.kept):,} trace{'' if len(fate.kept) == 1 else 's'} kept" if fate.kept else "not in the dataset"
    return f"{kept}, {len(fate.drops):,} dropped" if fate.drops and fate.kept else kept


def _kept(row: dict[str, Any]) -> "Text":
    from rich.text import Text

    from foretrace.data.printable import on_one_line

    text = Text("  + kept: ", style="green")
    text.append(f"{row['id'][:12]}  ", style="dim")
    return text.append(on_one_line(f"{row['entry']}({_short(row['arguments'])}), {row['events']:,} events"), style="default")


def _dropped(row: dict[str, Any], place: dict[str, Any]) -> "Text":
    """`- filter: its trace was not wanted: impure (it opened a file); for the call first([1, 2])`."""
    from rich.text import Text

    from foretrace.data.printable import on_one_line
    from foretrace.data.schema import STAGES

    text = Text(f"  - {row['stage']}: ", style="yellow")
    meaning = STAGES.get(row["stage"], "it was dropped")
    text.append(on_one_line(f"{meaning}: {row['reason']}"), style="default")
    if row["detail"]:
        text.append(on_one_line(f" ({row['detail']})"), style="default")
    if row["arguments"] is not None:
        text.append(on_one_line(f"; for the call {row['entry']}({_short(row['arguments'])})"), style="default")
    if row["name"] != place["name"] or row["path"] != place["path"]:
        text.append(on_one_line(f"; as found in {row['name']} {row['path']}"), style="default")
    return text


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
