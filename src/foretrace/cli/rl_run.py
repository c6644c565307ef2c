"""`foretrace rl run`."""

import os
from pathlib import Path

import click

from foretrace.cli import options
from foretrace.cli.train_command import need_torch

PRESETS = {
    "examples": "functions from examples, by a model of 2.5 M parameters",
    "output": "what calls return, told as traces, by the packaged model",
    "cwm": "CWM's three stages over your files of tasks, for a cluster",
}


@click.command(
    "run",
    epilog="""\b
Examples:
  foretrace rl run examples run.start=runs/examples/sft/checkpoint
  foretrace rl run output --work runs/rl run.updates=200 run.learning.schedule.lr=1e-5
  foretrace rl run output run.mode=sync worlds.isolation=process
  foretrace rl run cwm --work /data/rl --engine ray --address auto --samplers 64 --environments 128
  torchrun --nproc-per-node 8 -m foretrace rl run cwm --work /data/rl --engine ray --address auto
""",
)
@click.argument("preset", type=click.Choice(list(PRESETS)))
@click.argument("overrides", nargs=-1, metavar="[FIELD=VALUE]...")
@click.option("--work", type=click.Path(path_type=Path), help="Folder of the run.  [default: runs/rl-PRESET]")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True, help="Who collects.")
@click.option("--address", help="Of the Ray cluster.  [default: one of this machine]")
@click.option("--samplers", type=click.IntRange(min=1), default=2, show_default=True, help="Of Ray: actors with a policy.")
@click.option(
    "--environments", type=click.IntRange(min=0), default=0, show_default=True, help="Of Ray: actors with environments."
)
@options.as_json
def command(
    preset: str,
    overrides: tuple[str, ...],
    work: Path | None,
    engine: str,
    address: str | None,
    samplers: int,
    environments: int,
    as_json: bool,
) -> None:
    """Train a policy: rollouts in environments, updates, and again. The same command goes on after a stop.

    PRESET is examples, output or cwm. Fields are those of its dataclasses: run.*, tasks.NAME.*, stages.NAME.*,
    held_out.NAME.*, worlds.*: docs/rl.md. The run folder has metrics.jsonl, rollouts.jsonl and the checkpoint.
    """
    need_torch()
    from foretrace.recipes.rl import load_rl, run_rl, save_choice
    from foretrace.rl.cluster import Cluster

    folder = work or Path("runs") / f"rl-{preset}"
    recipe = load_rl(preset, folder, overrides)
    cluster = Cluster(address=address, samplers=samplers, environments=environments) if engine == "ray" else None
    if os.environ.get("RANK", "0") != "0":  # one of several processes, of which the first tells
        run_rl(recipe, lambda record: None, cluster)
        return
    save_choice(folder, preset, overrides)
    if as_json:
        checkpoint = run_rl(recipe, lambda record: options.write_json({"v": 1, **record}), cluster)
    else:
        from foretrace.cli.rl_live import LiveRun

        with LiveRun(sum(stage.updates for stage in recipe.all_stages)) as live:
            checkpoint = run_rl(recipe, live.report, cluster)
    click.echo(f"checkpoint: {checkpoint}", err=True)
