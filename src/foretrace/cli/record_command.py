"""`foretrace record`."""

import sys
from pathlib import Path

import click

from foretrace.cli import options


@click.command(
    "record",
    epilog="""\b
Examples:
  foretrace record letters.py::count --args "'banana', 'a'"
  foretrace record letters.py::count --args "'banana', 'a'" -o real.jsonl
""",
)
@options.target
@options.arguments
@options.limits
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the trace here, as JSON Lines.")
@options.as_json
def command(
    target: str, arguments: str, seconds: float, memory: int, max_events: int, output: Path | None, as_json: bool
) -> None:
    """Run a call in a limited child process and record what it does.

    The child has limits of time, memory and output, but it is not a sandbox: it can read your files.
    """
    from foretrace.record import record
    from foretrace.trace import write_jsonl

    trace = record(target, arguments=arguments, limits=options.make_limits(seconds, memory, max_events))
    if output:
        with output.open("w", encoding="utf-8") as file:
            write_jsonl(trace, file)
        click.echo(f"{len(trace)} steps written to {output}", err=True)
    if as_json:
        options.trace_to_json(trace)
    elif not output:
        from foretrace.cli.render import make_console, print_trace

        print_trace(make_console(), trace)
    sys.exit(options.exit_code(trace))
