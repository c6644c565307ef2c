"""`foretrace score`."""

from pathlib import Path

import click

from foretrace.cli import options
from foretrace.cli.recording import read_recording


@click.command(
    "score",
    epilog="""\b
Examples:
  foretrace record letters.py::count --args "'banana', 'a'" -o real.jsonl && foretrace score real.jsonl
  foretrace score fib.ftb --trace 2 --top 20
  foretrace score real.jsonl --model http://localhost:8000/v1 --json
""",
)
@click.argument("file", metavar="TRACE", type=click.Path(path_type=Path))
@click.option("--trace", "number", type=click.IntRange(min=1), default=1, metavar="N", help="Which one of the recording.")
@options.model
@click.option(
    "--top", type=click.IntRange(min=0), default=5, show_default=True, metavar="N", help="Say what was expected of so many."
)
@options.allow_run
@options.as_json
def command(file: Path, number: int, model: str, top: int, allow_run: bool, as_json: bool) -> None:
    """Show which steps of a real trace surprise a model: one pass over what happened, and nothing is generated.

    TRACE is what foretrace record, pytest --record or python -m foretrace.record wrote. Long traces are scored as far as the
    model's context goes.
    """
    from foretrace.cli.scoring import show

    trace = read_recording(file, partial=True).trace(number)
    surprise = options.load_model(model, may_run=allow_run).score(trace)
    if as_json:
        expected = [{**odd.to_dict(), "expected": surprise.expected(odd)} for odd in surprise.oddest(top)]
        options.write_json(surprise.to_dict() | {"oddest": expected})
    else:
        show(surprise, top)
