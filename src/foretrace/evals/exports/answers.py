"""The answers of a part of a run, by item, and the items that they answer."""

from collections import defaultdict

from foretrace.errors import UsageError
from foretrace.evals.benchmarks import find_benchmark
from foretrace.evals.folder import Part
from foretrace.evals.plan import items_sha256
from foretrace.evals.types import Item, Options

Answers = dict[str, list[str]]
"""Of each item its answers as they were read, in the order of the samples; an empty text is none."""


def answers_of(part: Part) -> Answers:
    """What was answered; what is broken is left out, as nothing is known of it."""
    found: dict[str, dict[int, str]] = defaultdict(dict)
    for sample in part.samples():
        if not sample.is_broken:
            found[sample.item][sample.sample] = sample.extracted or ""
    return {item: [texts[at] for at in sorted(texts)] for item, texts in found.items()}


def insist_on_all(part: Part, answers: Answers, tool: str) -> None:
    """Raises UsageError if an item has no answer, where the official tool wants all."""
    missing = part.manifest["items"] - len(answers)
    if missing:
        raise UsageError(
            f"{missing} of {part.manifest['items']} items of {part.name} have no answer, and {tool} wants all; "
            "go on with the run first (without --limit): foretrace eval run"
        )


def items_of(part: Part) -> list[Item]:
    """The items that were asked, loaded again.

    Raises:
        UsageError: data is missing, or is not what the run had.

    """
    options = dict(part.manifest["options"])
    window = options["window"]
    chosen = Options(**options | {"paths": tuple(options["paths"]), "window": tuple(window) if window else None})
    items = find_benchmark(part.manifest["benchmark"]).load(chosen)
    if items_sha256(items) != part.manifest["items_sha256"]:
        raise UsageError(f"the data of {part.name} is not what {part.folder} was measured on")
    return items
