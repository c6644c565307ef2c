"""Options that several commands share, and how they end."""

import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from foretrace.errors import RefusedError
from foretrace.trace import Limits, Outcome, Trace

if TYPE_CHECKING:
    from foretrace.api.model import Model

F = TypeVar("F", bound=Callable[..., Any])

target = click.argument("target", metavar="FILE::FUNCTION")
arguments = click.option(
    "--args", "arguments", default="", metavar="TEXT", help="The argument list, as in a call: \"'abc', k=[1]\"."
)
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object a line on standard output.")
_ENGINES = "A packaged model, a folder, torch:FOLDER, org/name"
engine = click.option("--model", default="tiny", show_default=True, help=f"{_ENGINES} or http://HOST:PORT/v1.")
model = click.option(
    "--model",
    default="tiny",
    show_default=True,
    help=f"{_ENGINES}, http://HOST:PORT/v1, oracle:err=0.05,seed=1 or replay:TRACE.",
)
calibration = click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="How sure the model may be, as foretrace calibrate wrote it.  [default: beside its weights]",
)
allow_run = click.option("--allow-run", is_flag=True, help="Let --model oracle run the call, in a limited child process.")
grammar = click.option(
    "--grammar", is_flag=True, help="Predict only lines that exist, in an order that control flow allows."
)
budget = click.option(
    "--budget",
    default="4k",
    show_default=True,
    metavar="TOKENS",
    callback=lambda *a: parse_count(a[2]),
    help="Tokens to generate.",
)


class Finite(click.FloatRange):
    """A number in a range; not-a-number is in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Refuses what `FloatRange` lets pass."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value} is not a number", param, ctx)
        return number


def limits(command: F) -> F:
    """The options of a real execution."""
    command = click.option(
        "--max-events", type=click.IntRange(min=1), default=10_000, show_default=True, help="Stop after this many events."
    )(command)
    command = click.option(
        "--memory", type=click.IntRange(min=64), default=1024, show_default=True, metavar="MB", help="Memory of the child."
    )(command)
    return click.option("--seconds", type=Finite(0.01, 86_400), default=10.0, show_default=True, help="Time of the child.")(
        command
    )


def make_limits(seconds: float, memory: int, max_events: int, **others: float) -> Limits:
    """Limits from the options; `others` by the names that `Limits` has for them."""
    return Limits(seconds=seconds, memory_mb=memory, max_events=max_events, **others)  # type: ignore[arg-type]


def load_model(name: str, calibration: Path | None = None, *, may_run: bool) -> "Model":
    """The model, for a command that executes nothing; an oracle, which runs the call, only with `--allow-run`.

    Raises:
        RefusedError: it is an oracle, and may not.

    """
    from foretrace.api.model import load

    try:
        return load(name, calibration=calibration, may_run=may_run)
    except RefusedError as error:
        raise RefusedError(f"this command executes nothing: {error}\n  let it: --allow-run") from error


def parse_count(text: str) -> int:
    """`4096` or `4k`."""
    match = re.fullmatch(r"(\d{1,12})(k?)", text.strip().lower())
    if not match or int(match[1]) == 0:
        raise click.BadParameter(f"{text!r} is not a number of tokens; write 4096 or 4k")
    return int(match[1]) * (1024 if match[2] else 1)


def write_json(values: dict[str, Any]) -> None:
    """One object on one line."""
    click.echo(json.dumps(values))


def trace_to_json(trace: Trace) -> None:
    """A trace on standard output, as JSON Lines v1."""
    from foretrace.trace import write_jsonl

    write_jsonl(trace, sys.stdout)


def exit_code(trace: Trace) -> int:
    """0 if the call returns, 1 if it raises, 4 if a budget ran out first."""
    if trace.header.outcome is Outcome.TRUNCATED:
        return 1 if trace.header.detail.startswith("format") else 4
    return 1 if trace.header.outcome is Outcome.RAISED else 0
