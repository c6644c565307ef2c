"""Checks that nobody gave: arguments like those of the statement, with which candidates agree or do not.

    devise(source, task, count=6, seed=0)        # Check(origin=Origin.GENERATED, text="double(7)"), …

They come from `corpus/arguments`: types are inferred from the statement's examples and a candidate's source, and the values
are made or changed, all without running anything.
"""

import random
from collections.abc import Iterator

from foretrace.corpus.arguments.constants import constants
from foretrace.corpus.arguments.generate import Generator
from foretrace.corpus.arguments.infer import Inference, infer
from foretrace.corpus.arguments.module import Module
from foretrace.corpus.arguments.mutate import mutate
from foretrace.errors import UsageError
from foretrace.solve.statement import SolveTask, arguments_of
from foretrace.solve.types import Check, Origin

_TRIES = 10
"""For each that is wanted."""
_CHARACTERS = 120
"""Of an argument list."""


def devise(source: str, task: SolveTask, *, count: int, seed: int = 0) -> list[Check]:
    """Calls with arguments that the statement does not show; fewer, or none, where nothing fitting can be made.

    Args:
        source: a candidate.
        task: whose examples tell most of what arguments are like.
        count: at most so many.
        seed: of what is drawn.

    """
    if not task.entry or not count:
        return []
    shown = [arguments for check in task.checks if (arguments := arguments_of(check.text, task.entry)) is not None]
    try:
        texts = list(_texts(source, task.entry, shown, _TRIES * count, seed))
    except UsageError:  # no such function in it
        return []
    calls = (f"{task.entry}({text})" for text in dict.fromkeys(texts) if text not in shown and len(text) <= _CHARACTERS)
    fitting = [call for call in calls if arguments_of(call, task.entry) is not None]
    return [Check(origin=Origin.GENERATED, text=call) for call in fitting[:count]]


def _texts(source: str, entry: str, shown: list[str], tries: int, seed: int) -> Iterator[str]:
    """New argument lists, and changed ones of the examples, in turn."""
    rng, module = random.Random(seed), Module(source)
    inference = Inference(module)
    signature = infer(module, entry, shown, inference)
    node, _ = module.find(entry)
    generator = Generator(rng, inference, signature, constants(node, module.assigned))
    examples = signature.examples
    for number in range(tries):
        if examples and number % 2:
            yield mutate(rng, rng.choice(examples), generator, rng.choice(examples)).text
        else:
            yield generator.arguments().text
