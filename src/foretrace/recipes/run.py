"""Runs a recipe from nothing to a checkpoint folder, doing only what is not done yet."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from foretrace.corpus import programs
from foretrace.data.build import build
from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import UsageError
from foretrace.recipes.overrides import override
from foretrace.recipes.tiny import Recipe, tiny

RECIPES = {"tiny": tiny}
_TOKENIZER_PROGRAMS = 20_000


def load_recipe(name: str, work: Path, settings: Iterable[str] = ()) -> Recipe:
    """The recipe called `name`, its fields overridden.

    Raises:
        UsageError: no such recipe or field.

    """
    if name not in RECIPES:
        raise UsageError(f"no recipe called {name!r}; known: {', '.join(RECIPES)}")
    return override(RECIPES[name](work), settings)


def run(recipe: Recipe, report: Callable[[dict[str, Any]], None]) -> Path:
    """Makes tokenizer, shards and model; returns the checkpoint folder."""
    from foretrace.train.trainer import train  # torch only when training begins

    tokenizer = _tokenizer(recipe)
    forbidden = read_forbidden(recipe.forbidden)
    for config in (recipe.validation, recipe.data):
        config = replace(config, forbidden=forbidden)
        fates = build(config, tokenizer, lambda done, wanted: report({"shards": done, "of": wanted}))
        report({"data": str(config.out), **fates})
    train(recipe.model, tokenizer, recipe.train, report)
    return recipe.train.out / "checkpoint"


def read_forbidden(file: Path | None) -> tuple[str, ...]:
    """Sources that no training program may resemble: the field `code` of JSON Lines.

    Raises:
        UsageError: the file is missing or has another form.

    """
    if file is None:
        return ()
    try:
        return tuple(json.loads(line)["code"] for line in file.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"cannot read forbidden programs from {file}: {error}; wanted JSON Lines with a field code"
        ) from error


def _tokenizer(recipe: Recipe) -> Tokenizer:
    """The run's tokenizer, trained once on the sources of synthesised programs."""
    folder = recipe.data.out.parent
    if not (folder / "tokenizer.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        sources = (program.source for program in islice(programs(), _TOKENIZER_PROGRAMS))
        Tokenizer.train(sources, recipe.model.vocab_size).save(folder / "tokenizer.json")
    return Tokenizer.load(folder)
