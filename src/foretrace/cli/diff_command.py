"""`foretrace diff`."""

import sys
from pathlib import Path

import click

from foretrace.cli import options
from foretrace.cli.recording import read_recording
from foretrace.trace import Limits, Trace, diff


@click.command(
    "diff",
    epilog="""\b
Examples:
  foretrace diff letters.py::count --args "'banana', 'a'"
  foretrace diff predicted.jsonl real.jsonl
""",
)
@click.argument("first", metavar="FILE::FUNCTION | PREDICTED")
@click.argument("second", metavar="[REAL]", required=False)
@options.arguments
@options.model
@options.budget
@options.grammar
@options.limits
@options.as_json
def command(
    first: str,
    second: str | None,
    arguments: str,
    model: str,
    budget: int,
    grammar: bool,
    seconds: float,
    memory: int,
    max_events: int,
    as_json: bool,
) -> None:
    """Compare prediction with reality, or two traces from files.

    With FILE::FUNCTION the call is predicted, and then really run in a limited child process.
    """
    if second is not None:
        predicted, real = (read_recording(Path(name)).trace(1) for name in (first, second))
    else:
        limits = options.make_limits(seconds, memory, max_events)
        predicted, real = predict_and_record(first, arguments, model, budget, grammar, limits)
    difference = diff(predicted, real)
    if as_json:
        options.write_json(difference.to_dict())
    else:
        from foretrace.cli.render import make_console, print_diff

        print_diff(make_console(), difference, predicted, real)
    apart = difference.first
    spent = apart is not None and apart.kind == "length" and 4 in (options.exit_code(predicted), options.exit_code(real))
    sys.exit(0 if apart is None else 4 if spent else 1)


def predict_and_record(
    target: str, arguments: str, model: str, budget: int, grammar: bool, limits: Limits
) -> tuple[Trace, Trace]:
    """Both traces of one call."""
    from foretrace.api import predict
    from foretrace.record import read_target, record_source

    predicted = predict(target, arguments=arguments, model=model, max_tokens=budget, grammar=grammar)
    click.echo("predicted; now running the call in a limited child process …", err=True)
    _, entry, path = read_target(target)
    # a call that cannot be bound without running it is predicted through a wrapper, and then must be run through it
    header = predicted.header
    text = arguments if header.entry == entry else ""
    return predicted, record_source(header.source, header.entry, text, path=path, limits=limits)
