"""`foretrace predict`."""

import sys

import click

from foretrace.cli import options


@click.command(
    "predict",
    epilog="""\b
Examples:
  foretrace predict letters.py::count --args "'banana', 'a'"
  foretrace predict letters.py::count --args "'banana', 'a'" --json > predicted.jsonl
""",
)
@options.target
@options.arguments
@options.model
@options.budget
@options.grammar
@click.option("--temperature", type=options.Finite(0, 100), default=0.0, show_default=True, help="0 is greedy.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of sampling, at a temperature above 0."
)
@options.as_json
def command(
    target: str,
    arguments: str,
    model: str,
    budget: int,
    grammar: bool,
    temperature: float,
    seed: int,
    as_json: bool,
) -> None:
    """Predict what a call would do, line by line. Nothing is executed."""
    from foretrace.api import predict
    from foretrace.cli.render import make_console, print_trace

    trace = predict(
        target,
        arguments=arguments,
        model=model,
        max_tokens=budget,
        temperature=temperature,
        seed=seed,
        grammar=grammar,
    )
    if as_json:
        options.trace_to_json(trace)
    else:
        print_trace(make_console(), trace)
        click.echo("nothing was executed.", err=True)
    sys.exit(options.exit_code(trace))
