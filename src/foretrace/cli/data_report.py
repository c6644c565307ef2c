"""`foretrace data report`."""

from pathlib import Path

import click


@click.command(
    "report",
    epilog="""\b
Examples:
  foretrace data report traces/
  foretrace data report traces/ -o report.html
""",
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="[default: FOLDER/report.html]")
@click.option("--seed", default=0, show_default=True, help="The same seed draws the same examples.")
def command(folder: Path, output: Path | None, seed: int) -> None:
    """Write one HTML page about a dataset: plots, tables, three traces, what was dropped and how it was made.

    It needs nothing beside it, neither scripts nor a network, and suits a dark screen and paper too.
    """
    from foretrace.cli.effects import effects
    from foretrace.cli.progress import Bar
    from foretrace.data.dataset import open_dataset
    from foretrace.data.describe import describe
    from foretrace.data.report import report

    dataset = open_dataset(folder)
    with Bar("counting") as bar:
        found = describe(dataset, bar)
    page = report(dataset, found, effects, seed=seed)
    output = output or folder / "report.html"
    output.write_text(page, encoding="utf-8")
    click.echo(f"{found.traces:,} traces described in {output}", err=True)
