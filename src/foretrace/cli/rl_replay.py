"""`foretrace rl replay`."""

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foretrace.cli import options
from foretrace.cli.render import make_console
from foretrace.cli.train_command import need_torch
from foretrace.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from foretrace.data.tokenizer import Tokenizer
    from foretrace.rl.stages import Stage
    from foretrace.rl.types import Rollout


@click.command(
    "replay",
    epilog="""\b
Examples:
  foretrace rl replay runs/rl --rollout 17
  foretrace rl replay runs/rl --rollout 17 --no-run
  foretrace rl replay runs/rl --task examples/2199023255563 --json
""",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--rollout", "number", type=click.IntRange(min=0), default=0, show_default=True, help="Which one, from 0.")
@click.option("--task", help="Count only rollouts of this one: ENVIRONMENT/ID.")
@click.option("--no-run", is_flag=True, help="Only show what is recorded.")
@options.as_json
def command(run: Path, number: int, task: str | None, no_run: bool, as_json: bool) -> None:
    """Show a rollout as text, and do its actions once more in its environment.

    What it saw and what it was worth should be the same: exit code 1 if something differs.
    """
    need_torch()
    from foretrace.data.tokenizer import Tokenizer
    from foretrace.recipes.rl import environments_of, rewarded, saved_recipe
    from foretrace.rl.records import replay

    recipe = saved_recipe(run)
    step, rollout = _find(run, number, task)
    differences: list[str] = []
    if not no_run:
        stage = next((s for s, end in _ends(recipe.all_stages) if step <= end), recipe.all_stages[-1])
        differences = replay(rewarded(environments_of(recipe, stage), stage), rollout)
    if as_json:
        told = {"task": f"{rollout.task.environment}/{rollout.task.id}", "seed": rollout.seed, "member": rollout.member}
        told |= {"rewards": list(rollout.rewards), "outcome": dict(rollout.outcome), "tokens": rollout.tokens.tolist()}
        options.write_json({"v": 1, "update": step, **told, "differences": None if no_run else differences})
    else:
        console = make_console()
        _show(console, rollout, Tokenizer.load(recipe.run.start), step)
        if not no_run:
            console.print("done once more: " + ("; ".join(differences) or "all the same"), style="bold", soft_wrap=True)
    if differences:
        raise click.exceptions.Exit(1)


def _ends(stages: "tuple[Stage, ...]") -> "list[tuple[Stage, int]]":
    ends, end = [], 0
    for stage in stages:
        end += stage.updates
        ends.append((stage, end))
    return ends


def _find(run: Path, number: int, task: str | None) -> "tuple[int, Rollout]":
    """The update that looked at a rollout, and it."""
    from foretrace.rl.records import ROLLOUTS, read_looked_at

    file = run / ROLLOUTS
    if not file.exists():
        raise UsageError(f"{run} has kept no rollouts: {ROLLOUTS} is not there (run.keep_rollouts)")
    wanted = (
        (step, rollout)
        for step, group in read_looked_at(file)
        if task in (None, f"{group.task.environment}/{group.task.id}")
        for rollout in group.rollouts
    )
    found = next(islice(wanted, number, None), None)
    if found is None:
        raise UsageError(f"{file} has no rollout number {number}" + (f" of {task}" if task else "") + "; the first is 0")
    return found


def _show(console: "Console", rollout: "Rollout", tokenizer: "Tokenizer", step: int) -> None:
    """Turn by turn: what the policy saw, what it wrote."""
    from foretrace.rl.records import turns_of

    where = f"environment {rollout.task.environment}, task {rollout.task.id}, seed {rollout.seed}, member {rollout.member}"
    console.print(f"{where}; looked at by update {step}", style="dim", soft_wrap=True)
    written = [
        (version, logprob) for version, logprob in zip(rollout.versions, rollout.logprobs, strict=True) if version >= 0
    ]
    for turn, (observed, action) in enumerate(turns_of(rollout)):
        console.print(f"── seen, {len(observed):,} tokens", style="dim")
        console.print(_text(tokenizer, observed), soft_wrap=True)
        if action:
            own, written = written[: len(action)], written[len(action) :]
            mean = sum(logprob for _, logprob in own) / len(own)
            versions = f"{min(own)[0]}" if min(own)[0] == max(own)[0] else f"{min(own)[0]} to {max(own)[0]}"
            told = f"── written, {len(action):,} tokens, by version {versions}, {mean:.3f} nats each"
            worth = f"; worth {rollout.rewards[turn]:g}" if turn < len(rollout.rewards) else ""
            console.print(told + worth, style="dim")
            console.print(_text(tokenizer, action), style="bold", soft_wrap=True)
    console.print(f"── {rollout.ending}: return {rollout.value:g}, {dict(rollout.outcome)}", style="dim", soft_wrap=True)


def _text(tokenizer: "Tokenizer", ids: list[int]) -> str:
    return "".join(segment if isinstance(segment, str) else segment.value for segment in tokenizer.decode(ids))
