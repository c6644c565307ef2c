"""`foretrace forage export`."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foretrace.cli import options

if TYPE_CHECKING:
    from foretrace.forager.trajectory import Trajectory

FORMS = ("chat", "cwm", "predictions", "swe-agent", "mini-swe-agent", "atif", "parquet")
_EXAMPLES = """\b
Examples:
  foretrace forage export run --form chat -o chats --unique
  foretrace forage export run --form atif -o atif
  foretrace forage export run --form predictions -o out      for SWE-bench's harness
  foretrace data pack chats -o shards/forager --tokenizer runs/small

\b
chat            messages, each with whether it is learnt     swe-agent        .traj files
cwm             CWM's text form                              mini-swe-agent   .traj.json files, version 1.1
parquet         a table, a row an episode                    atif             Harbor's
predictions     patches
"""


@click.command("export", epilog=_EXAMPLES)
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--form", type=click.Choice(FORMS), default="chat", show_default=True, help="Which.")
@click.option(
    "-o", "--out", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Where to."
)
@click.option("--unique", is_flag=True, help="Leave out what is like an earlier one of its repository (Jaccard ≥ 0.5).")
@click.option("--solved", is_flag=True, help="Only what is solved; by default failures are there, too.")
@options.as_json
def command(run: Path, form: str, out: Path, unique: bool, solved: bool, as_json: bool) -> None:
    """Write the finished trajectories of RUN in a format of others. No turn is made up, left out or changed."""
    from foretrace.forager.export import export
    from foretrace.forager.runs import Run

    chosen = _Chosen(Run.open(run).trajectories(), unique, solved)
    report = export(chosen, form, out)
    if as_json:
        left_out = [{"episode": name, "reason": reason} for name, reason in report.left_out]
        alike = [{"episode": name, "like": other, "similarity": round(value, 4)} for name, other, value in chosen.alike]
        options.write_json({"v": 1, "written": report.written, "left_out": left_out, "alike": alike})
        return
    click.echo(f"{report.written:,} trajectories in {out}")
    if unique:
        click.echo(f"left out: {len(chosen.alike):,} that are like another of their repository")
    for name, reason in report.left_out:
        click.echo(f"left out: {name}: {reason}", err=True)


class _Chosen:
    """Trajectories that are wanted, read as they are needed; and those that are not, because they are like others."""

    def __init__(self, found: "Iterator[Trajectory]", unique: bool, solved: bool) -> None:
        self.alike: list[tuple[str, str, float]] = []
        self._found, self._unique, self._solved = found, unique, solved

    def __iter__(self) -> "Iterator[Trajectory]":
        wanted = (each for each in self._found if not self._solved or _is_solved(each))
        if not self._unique:
            yield from wanted
            return
        from foretrace.forager.duplicates import without_duplicates

        for trajectory, like in without_duplicates(wanted):
            if like is None:
                yield trajectory
            else:
                self.alike.append((trajectory.header.episode, like.episode, like.similarity))


def _is_solved(trajectory: "Trajectory") -> bool:
    grade = trajectory.result.grade if trajectory.result else None
    return bool(grade) and (grade or {}).get("verdict") == "resolved"
