"""What `foretrace solve --patches` does: of many patches of each task one is chosen, and written as SWE-bench's predictions.

choose(Path("predictions.jsonl"), Path("tests.jsonl"), [Path("tasks.jsonl")], Path("chosen.jsonl"))
"""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from foretrace.cli.options import write_json
from foretrace.errors import UsageError

MODEL = "foretrace-solve"


def choose(patches: Path, tests: Path | None, data: Sequence[Path], out: Path, *, as_json: bool = False) -> None:
    """Writes a line a task.

    Raises:
        UsageError: there are no tasks, or none that the patches are of.
        RefusedError: the isolation cannot be had here.

    """
    from foretrace.evals.benchmarks import find_benchmark
    from foretrace.evals.types import Options
    from foretrace.solve.patches.selecting import read_patches, read_tests, select

    items = find_benchmark("forager").load(Options(paths=tuple(map(str, data))))
    found, generated = read_patches(patches), read_tests(tests) if tests is not None else {}
    wanted = [item for item in items if found.get(item.id)]
    if not wanted:
        there = next(iter(found), "nothing")
        raise UsageError(f"{patches} has patches of other tasks: of {there}, and the tasks are such as {items[0].id}")
    with out.open("w", encoding="utf-8") as file:
        for selected in select(wanted, found, generated):
            line = selected.to_json(MODEL)
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            if as_json:
                write_json(line)
            else:
                left = " → ".join(str(count) for count in selected.choice.steps.values())
                of = f"{selected.patches} patches, {selected.tests} tests"
                click.echo(f"{selected.item}   {of}   {left}   {selected.choice.reason}")
    click.echo(f"written to {out}; grade it: foretrace eval run forager --data … --model completions:{out}", err=True)
