"""`foretrace eval report`."""

import math
from pathlib import Path

import click

from foretrace.cli import options

_EXAMPLES = """\b
Examples:
  foretrace eval report runs/evals/tiny
  foretrace eval report runs/evals/tiny runs/qwen3 -o report.html
  foretrace eval report runs/evals/* -o report.md
  foretrace eval report runs/evals/tiny runs/qwen3 --size qwen3=8.2e9 -o picture.svg
"""


@click.command("report", epilog=_EXAMPLES)
@click.argument(
    "runs", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="RUN…"
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A page with plots (.html), Markdown (.md), or the picture beside published numbers (.svg).  [default: text, here]",
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    metavar="MODEL=PARAMETERS",
    callback=lambda *a: dict(map(_size, a[2])),
    help="How large a model is of which the run does not know it, for the picture: qwen3=8.2e9.",
)
@options.as_json
def command(runs: tuple[Path, ...], output: Path | None, sizes: dict[str, float], as_json: bool) -> None:
    """What RUNs came to: scores under both rules with intervals, and all that must stand beside a score."""
    from foretrace.evals.folder import Run
    from foretrace.evals.summary import summarise

    opened = [Run.open(run) for run in runs]
    if output:
        from foretrace.evals.report import write_report

        write_report(opened, output, sizes=sizes)
        click.echo(f"wrote {output}", err=True)
        return
    for run in opened:
        for part in run.parts.values():
            summary = summarise(part, model=str(run.model["name"]))
            if as_json:
                options.write_json(summary.to_dict())
            else:
                click.echo(summary.text() + "\n")


def _size(text: str) -> tuple[str, float]:
    name, _, number = text.rpartition("=")
    try:
        parameters = float(number)
    except ValueError:
        parameters = 0.0
    if not name or not 1 <= parameters < math.inf:
        raise click.BadParameter(f"{text!r} is no size; write the model's name and how many parameters: qwen3=8.2e9")
    return name, parameters
