"""Trajectories of agents in a recipe's mid-training, as CWM has them (report, section 2.3).

recipe = with_agents(load_recipe("tiny", work), ["run"], share=0.1)      # a run of `foretrace forage`
foretrace train tiny --agents run --agents-share 0.1
"""

from collections.abc import Sequence
from dataclasses import replace

from foretrace.data.mixture import Source
from foretrace.errors import UsageError
from foretrace.recipes.recipe import Data, Recipe, shards

NAME = "agents"


def with_agents(recipe: Recipe, runs: Sequence[str], share: float = 0.1) -> Recipe:
    """The recipe with a further source in its mid-training; what it had keeps its proportions.

    A trajectory ends with the last whole message that a row, and the model, have room for. Which observations are learnt was
    drawn when they were recorded, so all of these are.

    Args:
        recipe: if it has a source called `agents`, that one's place is taken.
        runs: what `foretrace data pack` takes as chats: runs, their `chat` exports.
        share: of the tokens of mid-training.

    Raises:
        UsageError: it has no mid-training, or the share is none.

    """
    if recipe.midtrain is None:
        raise UsageError("agents' trajectories are learnt in mid-training, and this recipe has none")
    if not 0 < share < 1:
        raise UsageError(f"the share of agents' tokens is above 0 and below 1, not {share}")
    mixture = recipe.midtrain.mixture
    others = tuple(source for source in mixture.sources if source.name != NAME)
    weight = share / (1 - share) * sum(source.weight for source in others)
    source = Source(name=NAME, folder=shards(recipe.work, NAME), weight=weight, too_long="truncate")
    room = min(mixture.tokens_per_row, recipe.model.max_position_embeddings)
    data = (
        *(part for part in recipe.data if part[0] != NAME),
        (NAME, Data(sources=tuple(runs), kind=NAME, max_tokens=room)),
    )
    return replace(recipe, data=data, midtrain=replace(recipe.midtrain, mixture=replace(mixture, sources=(*others, source))))
