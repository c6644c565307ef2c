"""Options that the commands of `foretrace eval` share."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from foretrace.cli import options

if TYPE_CHECKING:
    from foretrace.evals.folder import Part, Run
    from foretrace.evals.types import Options, Setting

F = TypeVar("F", bound=Callable[..., Any])


def data(command: F) -> F:
    """Where data is, and which of it."""
    command = click.option(
        "--data",
        "paths",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="PATH",
        help="A file or folder of data; may be given again.  [default: $FORETRACE_EVALDATA, evaldata/]",
    )(command)
    command = click.option(
        "--window",
        metavar="FROM..TO",
        callback=lambda *a: _window(a[2]),
        help="Days, the last one not among them: 2024-10-01..2025-02-01.",
    )(command)
    command = click.option("--count", type=click.IntRange(min=1), help="Items of a benchmark that is made here.")(command)
    return click.option("--items-seed", type=int, metavar="SEED", help="Of the same; without it the published one.")(command)


def judging(command: F) -> F:
    """How verdicts are reached."""
    command = click.option(
        "--weak-isolation", is_flag=True, help="Let answers run without bubblewrap, behind weaker walls; results say so."
    )(command)
    command = click.option("--seconds", type=options.Finite(0.01, 86_400), help="For one test.  [default: the benchmark's]")(
        command
    )
    command = click.option(
        "--repeats", type=click.IntRange(0, 10), default=1, show_default=True, help="How often what passed is run again."
    )(command)
    command = click.option(
        "-j", "--workers", type=click.IntRange(1, 256), default=2, show_default=True, help="Answers judged at a time."
    )(command)
    return click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only so many items.")(command)


def make_options(
    paths: tuple[Path, ...], window: tuple[str, str] | None, count: int | None, items_seed: int | None
) -> "Options":
    """Of benchmarks, from the command line's."""
    from foretrace.evals.types import Options

    return Options(paths=tuple(map(str, paths)), window=window, seed=items_seed, count=count)


def make_setting(weak_isolation: bool, seconds: float | None, repeats: int) -> "Setting":
    """Of scorers, from the command line's."""
    from foretrace.evals.types import Setting

    return Setting(isolation="process" if weak_isolation else "bubblewrap", seconds=seconds, repeats=repeats)


def parts_of(run: "Run", names: tuple[str, ...]) -> "list[Part]":
    """The parts that are named, or all."""
    return [run.part(name) for name in names] if names else list(run.parts.values())


def _window(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    first, _, after = text.partition("..")
    try:
        if date.fromisoformat(first) < date.fromisoformat(after):
            return first, after
    except ValueError:
        pass
    raise click.BadParameter(
        f"{text!r} is no window; write the first day and the day after the last: 2024-10-01..2025-02-01"
    )
