"""foretrace: step through Python before it runs.

    import foretrace as ft

    model = ft.load("tiny")
    predicted = model.predict("letters.py::count", "banana", "a")   # nothing is executed
    predicted.result, predicted.result.sure                         # a repr, and P(it is right)
    real = ft.record("letters.py::count", "banana", "a")            # really runs it, in a limited child process
    ft.diff(predicted, real).first
    session = model.debug("letters.py::count", "banana", "a")       # step through it, both ways

Importing this package imports neither torch nor NumPy; each verb brings what it needs when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foretrace.api.difference import Difference, diff
    from foretrace.api.model import Model, load, predict
    from foretrace.api.prediction import Predicted, Prediction
    from foretrace.record import Recorder, Scope, record
    from foretrace.solve import solve
    from foretrace.trace import Diff, Event, Frame, Header, Limits, Outcome, Trace

__version__ = "0.1.0"

_HOMES = {
    **dict.fromkeys(("Difference", "diff"), "foretrace.api.difference"),
    **dict.fromkeys(("Model", "load", "predict"), "foretrace.api.model"),
    **dict.fromkeys(("Predicted", "Prediction"), "foretrace.api.prediction"),
    **dict.fromkeys(("Recorder", "Scope", "record"), "foretrace.record"),
    "solve": "foretrace.solve",
    **dict.fromkeys(("Diff", "Event", "Frame", "Header", "Limits", "Outcome", "Trace"), "foretrace.trace"),
}

__all__ = [
    "Diff",
    "Difference",
    "Event",
    "Frame",
    "Header",
    "Limits",
    "Model",
    "Outcome",
    "Predicted",
    "Prediction",
    "Recorder",
    "Scope",
    "Trace",
    "diff",
    "load",
    "predict",
    "record",
    "solve",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'foretrace' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
