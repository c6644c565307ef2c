"""`foretrace eval`. Its commands are imported when they are used."""

import click

from foretrace.cli.subcommands import TableGroup

SUBCOMMANDS = {
    "run": ("foretrace.cli.eval_run", "measure a model on benchmarks; goes on after a stop"),
    "report": ("foretrace.cli.eval_report", "what runs came to: here, as HTML with plots, as Markdown"),
    "compare": ("foretrace.cli.eval_compare", "two runs on the same items, pair by pair"),
    "selftest": ("foretrace.cli.eval_selftest", "whether scores can be trusted here: gold 100 %, wrong 0 %"),
    "list": ("foretrace.cli.eval_list", "benchmarks, their styles and data"),
    "export": ("foretrace.cli.eval_export", "a run in the form of the official tools; tasks for other harnesses"),
}
"""Name: the module that has it as `command`, and what it does."""

EXAMPLES = """\b
Examples:
  foretrace eval run fidelity fresh:trace --model tiny
  foretrace eval run cruxeval-o:trace --data cruxeval.jsonl
  foretrace eval run cruxeval-o humaneval-plus --model http://localhost:8000/v1,model=qwen3 -o runs/qwen3
  foretrace eval compare runs/evals/tiny runs/qwen3
  foretrace eval report runs/evals/tiny runs/qwen3 -o report.html
"""


@click.group("eval", cls=TableGroup, table=SUBCOMMANDS, epilog=EXAMPLES)
def command() -> None:
    """Measure models on benchmarks, and trust what comes out."""
