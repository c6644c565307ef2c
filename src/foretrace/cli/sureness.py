"""How sure a prediction is, in words and dots, for the commands that show one.

    label(model)                            # 'tiny (calibrated)'
    print_trace(console, predicted, sure=dots(predicted))
    told(predicted.result)                  # ' ●●○ 81%   also held: 2 (12%)'

Dots alone unless the model is calibrated: a number from one that is not would be read as a promise.
"""

from collections.abc import Collection

from foretrace.api.model import Model
from foretrace.api.prediction import Predicted, Prediction
from foretrace.cli.effects import seen_at
from foretrace.cli.render import Dots
from foretrace.engine import Alternative

_LEAST = 0.01
"""Alternatives that are less likely are not worth a place."""
_CHARACTERS = 60


def label(model: Model) -> str:
    """What a model is called, and whether it knows how sure it is."""
    return f"{model.name} ({'calibrated' if model.confidence.is_calibrated else 'uncalibrated'})"


def dots(predicted: Prediction) -> Dots:
    """The dots of the least sure value in the effect of a step; of a given value there are none."""
    seen = seen_at(predicted.frames)

    def of(index: int, names: Collection[str]) -> str:
        values = {name or "value": dots for name, dots in predicted.step(seen[index]).moment.dots.items()}
        frame = predicted.frames[seen[index]]
        wanted = ["value"] if frame.locals is None else names
        return min((values[name] for name in wanted if name in values), key=lambda marks: marks.count("●"), default="")

    return of


def told(value: Predicted) -> str:
    """How sure a value is, and what else it could be; empty if it was given."""
    if not value.dots:
        return ""
    sure = "" if value.sure is None else f" {value.sure:.0%}"
    others = also_held(value.others, value.sure is not None)
    return f"   {value.dots}{sure}" + (f"   {others}" if others else "")


def also_held(others: Collection[Alternative], calibrated: bool, real: str | None = None) -> str:
    """`also held: 3 (31%, the real one), 1 (2%)`; empty if nothing else was likely.

    Args:
        others: likeliest first.
        calibrated: whether the probabilities mean something; else only the order is shown.
        real: what it really is, if that is known.

    """
    found = []
    for other in others:
        notes = [f"{other.probability:.0%}"] if calibrated else []
        notes += ["the real one"] if other.text == real else []
        if other.probability >= _LEAST:
            found.append(short(other.text) + (f" ({', '.join(notes)})" if notes else ""))
    return f"also held: {', '.join(found)}" if found else ""


def short(text: str, characters: int = _CHARACTERS) -> str:
    """A text cut to so many characters."""
    return text if len(text) <= characters else text[: characters - 1] + "…"
