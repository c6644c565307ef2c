"""Runs a recipe from nothing to a checkpoint folder, doing only what is not done yet."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from foretrace.errors import UsageError
from foretrace.recipes.cwm_32b import cwm_32b
from foretrace.recipes.examples import examples
from foretrace.recipes.overrides import override
from foretrace.recipes.prepare import make_tokenizer, prepare
from foretrace.recipes.recipe import Recipe
from foretrace.recipes.short_traces import short_traces
from foretrace.recipes.small import small
from foretrace.recipes.tiny import tiny

RECIPES: dict[str, Callable[[Path], Recipe]] = {
    "tiny": tiny,
    "small": small,
    "cwm_32b": cwm_32b,
    "examples": examples,
    "short_traces": short_traces,
}


def load_recipe(name: str, work: Path, settings: Iterable[str] = ()) -> Recipe:
    """The recipe called `name`, its fields overridden.

    Raises:
        UsageError: no such recipe or field.

    """
    if name not in RECIPES:
        raise UsageError(f"no recipe called {name!r}; known: {', '.join(RECIPES)}")
    return override(RECIPES[name](work), settings)


def run(recipe: Recipe, report: Callable[[dict[str, Any]], None]) -> Path:
    """Makes what is missing and trains the stages one after the other; returns the last one's checkpoint folder.

    Of several processes that `torchrun` has started the first makes and reports, and all train.

    Args:
        report: is given a record of all that is done.

    Raises:
        UsageError: it has no stage, or data is missing that is not its to make.

    """
    from foretrace.train.device import choose_device  # torch only when training begins
    from foretrace.train.ranks import Ranks
    from foretrace.train.trainer import Trainer

    if not recipe.stages:
        raise UsageError("the recipe has no stage left to train; set one of pretrain, midtrain and sft")
    ranks = Ranks.join(recipe.stages[0].parallel, choose_device(recipe.stages[0].hardware.device))
    with ranks.together():
        if ranks.first:
            prepare(recipe, make_tokenizer(recipe), report)
    tokenizer = make_tokenizer(recipe)
    for stage in recipe.stages:
        if ranks.first:
            report({"stage": stage.stage, "steps": stage.steps})
        Trainer(recipe.model_of(stage), tokenizer, stage, report).run()
    return recipe.stages[-1].out / "checkpoint"
