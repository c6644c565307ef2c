"""Whole runs as Python presets, and how to run one: data, tokenizer, training.

recipe = load_recipe("tiny", Path("runs/tiny"), ["train.steps=500"])
run(recipe, print)
"""

from foretrace.recipes.overrides import override
from foretrace.recipes.run import load_recipe, run
from foretrace.recipes.tiny import Recipe, tiny

__all__ = ["Recipe", "load_recipe", "override", "run", "tiny"]
