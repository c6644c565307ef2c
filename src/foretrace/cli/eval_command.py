"""`foretrace eval`."""

import json
import os
from pathlib import Path
from typing import Any

import click

from foretrace.cli import options


@click.group("eval")
def command() -> None:
    """Score a model against real executions."""


def _shared(function: Any) -> Any:
    for decorate in (
        options.engine,
        options.grammar,
        click.option("--limit", type=click.IntRange(min=1), help="Only the first so many programs."),
        click.option("-o", "--output", type=click.Path(path_type=Path), help="Write every program's result, as JSON Lines."),
        options.as_json,
    ):
        function = decorate(function)
    return function


@command.command(
    "cruxeval",
    epilog="""\b
Examples:
  foretrace eval cruxeval --data cruxeval.jsonl
  foretrace eval cruxeval --data cruxeval.jsonl --limit 50 --json
""",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=lambda: os.environ.get("FORETRACE_CRUXEVAL", "cruxeval.jsonl"),
    help="The official cruxeval.jsonl; or set FORETRACE_CRUXEVAL.",
)
@_shared
def cruxeval(data: Path, model: str, grammar: bool, limit: int | None, output: Path | None, as_json: bool) -> None:
    """CRUXEval output prediction by full trace, greedy."""
    from foretrace.cli.progress import Bar
    from foretrace.evals import load_cruxeval

    with Bar("recording reality") as bar:
        cases = load_cruxeval(data, limit, bar)
    _run(cases, "CRUXEval-O, full trace", model, grammar, output, as_json)


@command.command(
    "traces",
    epilog="""\b
Examples:
  foretrace eval traces
  foretrace eval traces --limit 100 --model runs/tiny/run/checkpoint
""",
)
@_shared
def traces(model: str, grammar: bool, limit: int | None, output: Path | None, as_json: bool) -> None:
    """Programs of our own corpus that were held out of training, greedy."""
    from foretrace.evals import held_out_cases

    _run(held_out_cases(limit or 500), "held-out synthetic traces", model, grammar, output, as_json)


def _run(cases: list[Any], title: str, model: str, grammar: bool, output: Path | None, as_json: bool) -> None:
    from foretrace.cli.progress import Bar
    from foretrace.engine import load
    from foretrace.evals import evaluate

    engine = load(model)
    with Bar("predicting") as bar:
        if grammar:
            title += ", under the grammar"
        report = evaluate(engine, cases, title=title, grammar=grammar, progress=bar)
    if output:
        lines = [json.dumps(result.to_dict()) + "\n" for result in report.results]
        output.write_text("".join(lines), encoding="utf-8")
    if as_json:
        options.write_json(report.to_dict())
    else:
        click.echo(report.text())
