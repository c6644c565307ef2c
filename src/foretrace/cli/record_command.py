"""`foretrace record`."""

import sys
from pathlib import Path

import click

from foretrace.cli import options, recording
from foretrace.errors import UsageError


@click.command(
    "record",
    epilog="""\b
Examples:
  foretrace record letters.py::count --args "'banana', 'a'"
  foretrace record letters.py::count --args "'banana', 'a'" -o real.jsonl
  foretrace record letters.py::count --args "'banana', 'a'" -o real.ftb --cpu-seconds 2
""",
)
@options.target
@options.arguments
@options.limits
@click.option(
    "--cpu-seconds",
    type=options.Finite(0.01, 86_400),
    default=3600.0,
    show_default=True,
    help="Processor time of the child.",
)
@click.option(
    "--max-bytes", type=click.IntRange(min=1), default=1_000_000, show_default=True, help="Stop after this many characters."
)
@recording.form
@recording.output
@options.as_json
def command(
    target: str,
    arguments: str,
    seconds: float,
    memory: int,
    max_events: int,
    cpu_seconds: float,
    max_bytes: int,
    form: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Run a call in a limited child process and record what it does.

    The child has limits of time, memory and output, but it is not a sandbox: it can read your files. To record a whole
    script: python -m foretrace.record.
    """
    from foretrace.record import record

    if form and not output:
        raise UsageError("--form says what -o writes; name the file too: -o FILE")
    limits = options.make_limits(seconds, memory, max_events, cpu_seconds=cpu_seconds, max_bytes=max_bytes)
    trace = record(target, arguments=arguments, limits=limits)
    if output:
        recording.Recording(traces=(trace,)).write(output, form)
        click.echo(f"{len(trace)} steps written to {output}", err=True)
    if as_json:
        options.trace_to_json(trace)
    elif not output:
        from foretrace.cli.render import make_console, print_trace

        print_trace(make_console(), trace)
    sys.exit(options.exit_code(trace))
