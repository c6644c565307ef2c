"""`foretrace forage show`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretrace.cli import options
from foretrace.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from foretrace.forager.runs import Run

_EXAMPLES = """\b
Examples:
  foretrace forage show run                                    all episodes, a line each
  foretrace forage show run return_removed.7a83                one of them: part of its name is enough
  foretrace forage show run return_removed.7a83 --step 4       a step in full
  foretrace forage show run return_removed.7a83 --html story.html
  foretrace web run                                            all of them in a browser
"""


@click.command("show", epilog=_EXAMPLES)
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("episode", required=False)
@click.option("--step", type=click.IntRange(min=1), metavar="N", help="A step in full.")
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="One page to read and to send."
)
@options.as_json
def command(run: Path, episode: str | None, step: int | None, html: Path | None, as_json: bool) -> None:
    """Show the episodes of RUN, or one of them as a story: what was done and seen, files, diffs, tests over time."""
    from rich.console import Console

    from foretrace.forager.runs import Run

    opened = Run.open(run)
    if episode is None:
        if html or step:
            raise UsageError(f"of which episode? foretrace forage show {run} lists them")
        _list(opened, as_json)
        return
    trajectory = opened.find(episode)
    if html is not None:
        from foretrace.web.story import story_html

        html.write_text(story_html(trajectory, opened.instances.get(trajectory.header.task)), encoding="utf-8")
        click.echo(f"written to {html}", err=True)
        return
    if as_json:
        from dataclasses import asdict

        options.write_json({"v": 1, **asdict(trajectory)})
        return
    from foretrace.cli.forage_story import print_step, print_story

    if step is None:
        print_story(Console(), trajectory)
    elif step <= len(trajectory.steps):
        print_step(Console(), trajectory.steps[step - 1])
    else:
        raise UsageError(f"{trajectory.header.episode} has {len(trajectory.steps)} steps, and no step {step}")


def _list(run: "Run", as_json: bool) -> None:
    from foretrace.web.story import verdict_of

    rows: list[dict[str, Any]] = []
    for trajectory in run.trajectories():
        result = trajectory.result
        assert result is not None
        told = {"episode": trajectory.header.episode, "verdict": verdict_of(trajectory), "ending": str(result.ending)}
        rows.append(told | {"turns": result.turns, "tokens": result.tokens, "seconds": round(result.seconds, 3)})
    if as_json:
        for row in rows:
            options.write_json({"v": 1, **row})
        return
    from rich.console import Console

    _print_rows(Console(), rows)
    unfinished = len(list(run.episodes.glob("*.jsonl.part")))
    click.echo(f"{len(rows):,} episodes" + (f", and {unfinished} not finished" if unfinished else ""))


def _print_rows(console: "Console", rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from foretrace.data.printable import on_one_line

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("verdict", "episode"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for name in ("ending", "turns", "tokens", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        cells = [row["ending"], f"{row['turns']:,}", f"{row['tokens']:,}", f"{row['seconds']:.1f}"]
        table.add_row(row["verdict"], on_one_line(row["episode"]), *cells)
    console.print(table)
