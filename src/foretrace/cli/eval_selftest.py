"""`foretrace eval selftest`."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foretrace.cli import eval_options, options
from foretrace.cli.progress import Bar

if TYPE_CHECKING:
    from foretrace.evals.selftest import Check

_EXAMPLES = """\b
Examples:
  foretrace eval selftest
  foretrace eval selftest --data evaldata/ --limit 20
  foretrace eval selftest humaneval-plus mbpp-plus -j 2

Exit codes: 0 all that was tried is fine, 1 something is judged wrongly,
or what was named could not be tried, 2 usage.
"""


@click.command("selftest", epilog=_EXAMPLES)
@click.argument("benchmarks", nargs=-1, metavar="[BENCHMARK]…")
@eval_options.judging
@eval_options.data
@options.as_json
def command(
    benchmarks: tuple[str, ...],
    limit: int | None,
    workers: int,
    repeats: int,
    seconds: float | None,
    weak_isolation: bool,
    paths: tuple[Path, ...],
    window: tuple[str, str] | None,
    count: int | None,
    items_seed: int | None,
    as_json: bool,
) -> None:
    """See that right answers pass and wrong ones fail: each scorer, and each benchmark whose data is here."""
    from functools import partial

    from foretrace.evals.benchmarks import benchmarks as every
    from foretrace.evals.benchmarks import find_benchmark
    from foretrace.evals.selftest import SCORERS, check_benchmark, check_scorer

    for name in benchmarks:
        find_benchmark(name)  # a wrong name is told before anything is tried
    setting = eval_options.make_setting(weak_isolation, seconds, repeats)
    try_benchmark = partial(
        check_benchmark,
        options=eval_options.make_options(paths, window, count, items_seed),
        setting=setting,
        limit=limit,
        workers=workers,
    )
    scorers = [] if benchmarks else [partial(check_scorer, name, setting) for name in SCORERS]
    are_fine = [_tell(scorer(), as_json) for scorer in scorers]
    for name in benchmarks or every():
        with Bar(name) as bar:
            check = try_benchmark(name, watch=bar)
        are_fine.append(_tell(check, as_json) and not (check.skipped and benchmarks))
    sys.exit(0 if all(are_fine) else 1)


def _tell(check: "Check", as_json: bool) -> bool:
    """Shows what came of a check; whether it is fine."""
    if as_json:
        options.write_json({"v": 1, **asdict(check)})
    else:
        mark = "-" if check.skipped else "✓" if check.is_fine else "✗"
        click.echo(f"{mark} {check.name:<31} {check.text()}")
    return check.is_fine
