"""`foretrace forage stats`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foretrace.cli import options

if TYPE_CHECKING:
    from rich.table import Table

    from foretrace.forager.stats import Group, Stats

_EXAMPLES = """\b
Examples:
  foretrace forage stats run
  foretrace forage stats run --json
"""


@click.command("stats", epilog=_EXAMPLES)
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@options.as_json
def command(run: Path, as_json: bool) -> None:
    """What RUN came to: solved by operator, repository, hints and policy; turns, tokens, seconds; kinds of actions."""
    from foretrace.forager.runs import Run
    from foretrace.forager.stats import stats_of

    stats = stats_of(Run.open(run))
    if as_json:
        options.write_json(stats.to_json())
        return
    from rich.console import Console

    console = Console()
    console.print(_head(stats), highlight=False)
    for name, groups in stats.by.items():
        console.print()
        console.print(_groups(name, groups))
    console.print()
    console.print(_counts(stats), highlight=False)


def _head(stats: "Stats") -> str:
    total = stats.total
    rate = "" if total.rate is None else f" ({total.rate:.0%})"
    told = f"{total.episodes:,} episodes, {total.solved:,} of {total.graded:,} solved{rate}, {stats.tokens:,} tokens"
    return told + (f", cost {stats.cost:.2f}" if stats.cost else "")


def _groups(name: str, groups: "Mapping[str, Group]") -> "Table":
    """A row a group, the largest first."""
    from rich.table import Table
    from rich.text import Text

    from foretrace.cli.data_tables import bar
    from foretrace.data.printable import on_one_line

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(name, no_wrap=True, max_width=30)
    for column in ("episodes", "solved", "rate"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", width=12, no_wrap=True, style="cyan")
    for column in ("turns", "tokens", "seconds", "90 %"):
        table.add_column(column, justify="right", no_wrap=True)
    for key, group in sorted(groups.items(), key=lambda item: (-item[1].episodes, item[0])):
        rate = group.rate or 0.0
        medians = [group.quantile(measure, 0.5) for measure in ("turns", "tokens", "seconds")]
        cells = [f"{group.episodes:,}", f"{group.solved:,}", f"{rate:.0%}" if group.graded else "–", bar(rate)]
        cells += [f"{medians[0]:,.0f}", f"{medians[1]:,.0f}", f"{medians[2]:.1f}", f"{group.quantile('seconds', 0.9):.1f}"]
        table.add_row(Text(on_one_line(key)), *cells)
    return table


def _counts(stats: "Stats") -> str:
    """What happened, in a few lines."""
    learnt = stats.learnt
    share = 1 - learnt["masked"] / max(1, learnt["observations"])
    lines = [
        ("verdicts", stats.verdicts),
        ("endings", stats.endings),
        ("actions", stats.actions),
    ]
    told = [f"{name}: " + ", ".join(f"{number:,} {kind}" for kind, number in counts.most_common()) for name, counts in lines]
    return "\n".join(
        [*told, f"learnt: {learnt['actions']:,} actions, {share:.0%} of {learnt['observations']:,} observations"]
    )
