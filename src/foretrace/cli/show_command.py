"""`foretrace show`."""

from dataclasses import asdict
from pathlib import Path

import click

from foretrace.cli import options, recording
from foretrace.cli.recording import Recording, read_recording
from foretrace.errors import UsageError
from foretrace.trace.summary import Summary


@click.command(
    "show",
    epilog="""\b
Examples:
  foretrace show fib.ftb
  foretrace show fib.ftb --trace 2
  foretrace show fib.ftb -o fib.parquet
  foretrace show fib.ftb --trace 2 --form wire -o fib.txt
""",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--trace", "number", type=click.IntRange(min=1), metavar="N", help="Show this one, step by step.")
@recording.form
@recording.output
@options.as_json
def command(file: Path, number: int | None, form: str | None, output: Path | None, as_json: bool) -> None:
    """List the traces of a recording, show one, or write them in another form.

    FILE is what python -m foretrace.record, pytest --record or foretrace record wrote: .ftb or JSON Lines. One whose program
    was killed, or still runs, is read as far as it goes.
    """
    if form and not output:
        raise UsageError("--form says what -o writes; name the file too: -o FILE")
    found = read_recording(file, partial=True)
    if number is not None:
        found = Recording(traces=(found.trace(number),))
    if output:
        if output.exists() and output.samefile(file):
            raise UsageError(f"{output} is what is being read; name another file")
        found.write(output, form)
        click.echo(f"{_total(found.summaries())} written to {output}", err=True)
    elif number is None:
        _print_list(found.summaries(), as_json)
    elif as_json:
        options.trace_to_json(found.traces[0])
    else:
        from foretrace.cli.render import make_console, print_trace

        print_trace(make_console(), found.traces[0])


def _print_list(found: list[Summary], as_json: bool) -> None:
    if as_json:
        for number, summary in enumerate(found, 1):
            options.write_json({"v": 1, "trace": number, **asdict(summary)})
        return
    rows = [("trace", "steps", "outcome", "entry", "file")]
    rows += [(str(n), f"{s.steps:,}", s.ending, s.entry, _short(s.path)) for n, s in enumerate(found, 1)]
    number, steps, ending, entry = (max(len(row[column]) for row in rows) for column in range(4))
    for row in rows:
        click.echo(f"{row[0]:>{number}}  {row[1]:>{steps}}  {row[2]:<{ending}}  {row[3]:<{entry}}  {row[4]}")
    click.echo(f"{_total(found)}; show one with: --trace N", err=True)


def _total(found: list[Summary]) -> str:
    steps = sum(s.steps for s in found)
    return f"{len(found):,} trace{'' if len(found) == 1 else 's'}, {steps:,} step{'' if steps == 1 else 's'}"


def _short(path: str) -> str:
    """Relative, if it is in this folder."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
