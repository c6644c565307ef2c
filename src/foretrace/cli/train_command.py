"""`foretrace train`."""

from pathlib import Path

import click

from foretrace.cli import options


@click.command(
    "train",
    epilog="""\b
Examples:
  foretrace train tiny
  foretrace train tiny --work runs/mine train.steps=500 train.lr=0.002
  foretrace train tiny forbidden=cruxeval.jsonl model.hidden_size=384
""",
)
@click.argument("recipe", default="tiny")
@click.argument("overrides", nargs=-1, metavar="[FIELD=VALUE]...")
@click.option("--work", type=click.Path(path_type=Path), help="Folder of the run.  [default: runs/RECIPE]")
@options.as_json
def command(recipe: str, overrides: tuple[str, ...], work: Path | None, as_json: bool) -> None:
    """Build the data that is missing and train; the same command goes on after a stop.

    Fields are those of the recipe's dataclasses: model.*, data.*, train.*.
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        from foretrace.errors import UsageError

        raise UsageError("training needs torch; install it with: pip install 'foretrace[train]'") from error
    from foretrace.cli.progress import TrainingBar
    from foretrace.recipes import load_recipe, run

    chosen = load_recipe(recipe, work or Path("runs") / recipe, overrides)

    if as_json:
        folder = run(chosen, lambda record: options.write_json({"v": 1, **record}))
    else:
        with TrainingBar(chosen.train.steps) as bar:
            folder = run(chosen, bar.report)
    click.echo(f"checkpoint: {folder}", err=True)
