"""`foretrace train`: a command for each recipe, and one that draws what a run did."""

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foretrace.cli import options

if TYPE_CHECKING:
    from foretrace.recipes import Recipe

RECIPES = {
    "tiny": "6.4 M parameters: hours on two CPU cores",
    "small": "30 M parameters: for one GPU",
    "cwm_32b": "CWM's own 32 B, for a cluster",
    "examples": "2.5 M parameters that write short functions from examples; what reinforcement learning begins with",
    "short_traces": "`tiny`, taught to foresee short functions, for the solver",
}
TOOLS = {"plot": ("foretrace.cli.train_plot", "draw the curves of one run or several")}

EXAMPLES = """\b
Examples:
  foretrace train tiny
  foretrace train tiny --work runs/mine midtrain.steps=500 midtrain.schedule.lr=0.002
  foretrace train tiny --until pretrain
  foretrace train tiny --agents run --agents-share 0.2      trajectories of foretrace forage in mid-training
  foretrace train plot runs/mine/midtrain -o curves.html
  torchrun --nproc-per-node 8 -m foretrace train small --work runs/small
"""

_RECIPE_EXAMPLES = """\b
Examples:
  foretrace train {name}
  foretrace train {name} --until midtrain --work runs/mine
  foretrace train {name} midtrain.steps=500 midtrain.mixture.sources.traces.weight=0.5
  foretrace train {name} benchmarks="('cruxeval.jsonl',)" sft=none
"""


class TrainGroup(click.Group):
    """Lists recipes and tools from tables and imports what it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Recipes first."""
        return [*RECIPES, *TOOLS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a recipe, or a tool's."""
        if cmd_name in TOOLS:
            tool: click.Command = import_module(TOOLS[cmd_name][0]).command
            return tool
        return _recipe_command(cmd_name) if cmd_name in RECIPES else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The tables, without importing anything."""
        with formatter.section("Recipes"):
            formatter.write_dl(list(RECIPES.items()))
        with formatter.section("Tools"):
            formatter.write_dl([(name, meaning) for name, (_, meaning) in TOOLS.items()])


@click.group("train", cls=TrainGroup, epilog=EXAMPLES)
def command() -> None:
    """Train a model from a recipe: pre-training, mid-training, SFT.

    A recipe makes the data that is missing and trains stage after stage; the same command goes on after a stop.
    """


def _recipe_command(name: str) -> click.Command:
    @click.command(name, epilog=_RECIPE_EXAMPLES.format(name=name), help=_help(name))
    @click.argument("overrides", nargs=-1, metavar="[FIELD=VALUE]...")
    @click.option("--work", type=click.Path(path_type=Path), help=f"Folder of the run.  [default: runs/{name}]")
    @click.option("--until", metavar="STAGE", help="The last stage to train: pretrain, midtrain or sft.")
    @click.option("--agents", multiple=True, metavar="RUN", help="Mix trajectories of foretrace forage into mid-training.")
    @click.option("--agents-share", type=float, default=0.1, show_default=True, help="Of mid-training's tokens.")
    @options.as_json
    def run_recipe(
        overrides: tuple[str, ...],
        work: Path | None,
        until: str | None,
        agents: tuple[str, ...],
        agents_share: float,
        as_json: bool,
    ) -> None:
        need_torch()
        from foretrace.recipes import load_recipe, override
        from foretrace.recipes.agents import with_agents

        recipe = load_recipe(name, work or Path("runs") / name)
        if agents:
            recipe = with_agents(recipe, agents, agents_share)
        recipe = override(recipe, overrides)
        _run(recipe.until(until) if until else recipe, as_json)

    return run_recipe


def _help(name: str) -> str:
    fields = "Fields are those of the recipe's dataclasses: model.*, data.NAME.*, and pretrain.*, midtrain.*, sft.*"
    return f"{RECIPES[name][0].upper()}{RECIPES[name][1:]}.\n\n{fields}: docs/training.md."


def need_torch() -> None:
    """Raises UsageError if it is not installed."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        from foretrace.errors import UsageError

        raise UsageError("training needs torch; install it with: pip install 'foretrace[train]'") from error


def _run(recipe: "Recipe", as_json: bool) -> None:
    from foretrace.cli.progress import TrainingBar
    from foretrace.recipes import run

    if os.environ.get("RANK", "0") != "0":  # one of several processes, of which the first tells
        run(recipe, lambda record: None)
        return
    if as_json:
        folder = run(recipe, lambda record: options.write_json({"v": 1, **record}))
    else:
        with TrainingBar() as bar:
            folder = run(recipe, bar.report)
    click.echo(f"checkpoint: {folder}", err=True)
