"""`foretrace rl show`."""

from collections import defaultdict
from pathlib import Path

import click
from rich.table import Table

from foretrace.cli import options
from foretrace.cli.render import make_console
from foretrace.errors import UsageError

_BINS = ("never", "up to 10%", "10 to 70%", "above 70%", "always")


@click.command(
    "show",
    epilog="""\b
Examples:
  foretrace rl show runs/rl
  foretrace rl show runs/rl --tasks 20
  foretrace rl show runs/rl --json
""",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--tasks", "count", type=click.IntRange(min=0), default=5, show_default=True, help="Tasks to name, hardest first."
)
@options.as_json
def command(run: Path, count: int, as_json: bool) -> None:
    """Show what a run did: its last update, and how often each environment and each task was solved.

    A rollout counts as solved if its return is above 0.
    """
    from foretrace.train.history import read_runs

    [found] = read_runs([run])
    updates = [record for record in found.records if "reward" in record]
    if not updates:
        raise UsageError(f"{run} is no run of reinforcement learning, or has made no update yet")
    rates = _rates(run)
    if as_json:
        options.write_json({"v": 1, "last": dict(updates[-1]), "solved_by_task": rates})
        return
    console = make_console()
    for record in (updates[0], updates[-1]):
        names = ("reward", "solved", "entropy", "clipped", "max_lag", "mismatch", "length", "cut")
        console.print(
            f"update {record['step']:,}: " + "  ".join(f"{name} {record[name]:.4g}" for name in names), soft_wrap=True
        )
    for record in [record for record in found.records if "held_out" in record]:
        told = "  ".join(f"{name} {value:.1%}" for name, value in record["held_out"].items())
        console.print(f"held out after {record['step']:,}: {told}", soft_wrap=True)
    console.print(_table(rates))
    hardest = sorted(rates.items(), key=lambda item: (sum(item[1]) / len(item[1]), -len(item[1])))
    for name, tries in hardest[:count]:
        console.print(f"{sum(tries)} of {len(tries)} tries solved {name}", soft_wrap=True)


def _rates(run: Path) -> dict[str, list[int]]:
    """Of each task whether each try solved it, in order; empty if rollouts were not kept."""
    from foretrace.rl.records import ROLLOUTS, read_groups

    tries: dict[str, list[int]] = defaultdict(list)
    if (run / ROLLOUTS).exists():
        for group in read_groups(run / ROLLOUTS):
            tries[f"{group.task.environment}/{group.task.id}"] += [int(rollout.value > 0) for rollout in group.rollouts]
    return dict(tries)


def _table(rates: dict[str, list[int]]) -> Table:
    """Tasks by environment and by how often they were solved."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("environment", "tasks", "rollouts", "solved", *_BINS):
        table.add_column(name, justify="left" if name == "environment" else "right")
    for environment in sorted({name.partition("/")[0] for name in rates}):
        own = [tries for name, tries in rates.items() if name.partition("/")[0] == environment]
        shares = [sum(tries) / len(tries) for tries in own]
        total = sum(map(len, own))
        counts = [sum(_bin(share) == at for share in shares) for at in range(len(_BINS))]
        solved = f"{sum(map(sum, own)) / total:.1%}"
        table.add_row(environment, f"{len(own):,}", f"{total:,}", solved, *map(str, counts))
    return table


def _bin(share: float) -> int:
    return 0 if share == 0 else 4 if share == 1 else 1 if share < 0.1 else 2 if share <= 0.7 else 3
