"""Whole runs as Python presets, and how to run one: data, tokenizer, training.

recipe = load_recipe("tiny", Path("runs/tiny"), ["midtrain.steps=500"])
run(recipe, print)
"""

from foretrace.recipes.overrides import override
from foretrace.recipes.recipe import Data, Recipe
from foretrace.recipes.run import RECIPES, load_recipe, run

__all__ = ["RECIPES", "Data", "Recipe", "load_recipe", "override", "run"]
