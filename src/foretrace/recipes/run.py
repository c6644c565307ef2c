"""Runs a recipe from nothing to a checkpoint folder, doing only what is not done yet."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from foretrace.errors import UsageError
from foretrace.recipes.cwm_32b import cwm_32b
from foretrace.recipes.overrides import override
from foretrace.recipes.prepare import make_tokenizer, prepare
from foretrace.recipes.recipe import Recipe
from foretrace.recipes.small import small
from foretrace.recipes.tiny import tiny

RECIPES: dict[str, Callable[[Path], Recipe]] = {"tiny": tiny, "small": small, "cwm_32b": cwm_32b}


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

    Args:
        report: is given a record of all that is done.

    Raises:
        UsageError: it has no stage, or data is missing that is not its to make.

    """
    from foretrace.train.trainer import Trainer  # torch only when training begins

    if not recipe.stages:
        raise UsageError("the recipe has no stage left to train; set one of pretrain, midtrain and sft")
    tokenizer = make_tokenizer(recipe)
    prepare(recipe, tokenizer, report)
    for stage in recipe.stages:
        report({"stage": stage.stage, "steps": stage.steps})
        Trainer(recipe.model_of(stage), tokenizer, stage, report).run()
    return recipe.stages[-1].out / "checkpoint"
