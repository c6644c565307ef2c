"""`foretrace diff`."""

import shlex
import sys
from pathlib import Path

import click

from foretrace.cli import options
from foretrace.cli.recording import read_recording
from foretrace.errors import UsageError
from foretrace.trace import Diff, Trace, diff


@click.command(
    "diff",
    epilog="""\b
Examples:
  foretrace diff letters.py::count --args "'banana', 'a'"
  foretrace diff letters.py::count --args "'banana', 'a'" --anchor
  foretrace diff letters.py::count --args "'banana', 'a'" --html count.html
  foretrace diff predicted.jsonl real.jsonl
""",
)
@click.argument("first", metavar="FILE::FUNCTION | PREDICTED")
@click.argument("second", metavar="[REAL]", required=False)
@options.arguments
@options.model
@options.calibration
@options.budget
@options.grammar
@click.option(
    "--anchor", is_flag=True, help="Predict each step from the real ones before it: tells slips from what follows from them."
)
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Also write one page that opens offline."
)
@options.limits
@options.as_json
def command(
    first: str,
    second: str | None,
    arguments: str,
    model: str,
    calibration: Path | None,
    budget: int,
    grammar: bool,
    anchor: bool,
    html: Path | None,
    seconds: float,
    memory: int,
    max_events: int,
    as_json: bool,
) -> None:
    """Compare prediction with reality, or two traces from files.

    With FILE::FUNCTION the call is predicted, and then really run in a limited child process.
    """
    if second is not None:
        if anchor:
            raise UsageError("--anchor predicts, and two files are there already; give FILE::FUNCTION instead")
        predicted, real = (read_recording(Path(name)).trace(1) for name in (first, second))
        difference = _files(predicted, real, as_json)
    else:
        from foretrace.cli import differing
        from foretrace.debug import Settings

        settings = Settings(budget=budget, grammar=grammar)
        limits = options.make_limits(seconds, memory, max_events)
        both = differing.predict_and_record(first, arguments, model, calibration, settings, limits, anchor)
        differing.write_json(both) if as_json else differing.show(both)
        predicted, real, difference = both.predicted, both.real, both.difference
    if html is not None:
        from foretrace.api.page import write_page

        write_page(html, predicted, real)
        click.echo(f"wrote {html}", err=True)
    apart = difference.first
    if apart is not None and not as_json:
        shown = [second, "--model", f"replay:{first}"] if second else [first, "--args", arguments, "--model", model]
        click.echo(f"step through it: foretrace web {' '.join(map(_quoted, shown))}", err=True)
    spent = apart is not None and apart.kind == "length" and 4 in (options.exit_code(predicted), options.exit_code(real))
    sys.exit(0 if apart is None else 4 if spent else 1)


def _quoted(text: str) -> str:
    """For a shell; the quotes of Python's strings stay readable where they can."""
    plain = "'" in text and not set(text) & set('"$`\\!\n')
    return f'"{text}"' if plain else shlex.quote(text)


def _files(predicted: Trace, real: Trace, as_json: bool) -> Diff:
    """Shows what two recorded traces differ in."""
    difference = diff(predicted, real)
    if as_json:
        options.write_json(difference.to_dict())
    else:
        from foretrace.cli.render import make_console, print_diff

        print_diff(make_console(), difference, predicted, real)
    return difference
