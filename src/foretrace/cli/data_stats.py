"""`foretrace data stats`."""

from pathlib import Path

import click

from foretrace.cli import options


@click.command(
    "stats",
    epilog="""\b
Examples:
  foretrace data stats traces/
  foretrace data stats traces/ --top 30
  foretrace data stats traces/ --json
""",
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, metavar="N", help="Lines of a long table.")
@options.as_json
def command(folder: Path, top: int, as_json: bool) -> None:
    """Say what a dataset holds: sources, lengths, outcomes, constructs, and what was dropped.

    Datasets larger than memory are read a piece at a time.
    """
    from foretrace.cli.progress import Bar
    from foretrace.data.dataset import open_dataset
    from foretrace.data.describe import describe

    dataset = open_dataset(folder)
    with Bar("counting") as bar:
        found = describe(dataset, bar)
    if as_json:
        options.write_json({"v": 1, **found.to_dict()})
    else:
        from foretrace.cli.data_tables import print_description
        from foretrace.cli.render import make_console

        print_description(make_console(), dataset.name, found, top)
