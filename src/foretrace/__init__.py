"""foretrace: step through Python before it runs.

    import foretrace as ft

    model = ft.load("tiny")
    predicted = ft.predict("letters.py::count", "banana", "a")      # nothing is executed
    real = ft.record("letters.py::count", "banana", "a")            # really runs it, in a limited child process
    ft.diff(predicted, real).first

Importing this package imports neither torch nor NumPy; each verb brings what it needs when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foretrace.api import load, predict
    from foretrace.record import Recorder, Scope, record
    from foretrace.trace import Diff, Event, Frame, Header, Limits, Outcome, Trace, diff

__version__ = "0.1.0"

_HOMES = {
    "load": "foretrace.api",
    "predict": "foretrace.api",
    **dict.fromkeys(("Recorder", "Scope", "record"), "foretrace.record"),
    **dict.fromkeys(("Diff", "Event", "Frame", "Header", "Limits", "Outcome", "Trace", "diff"), "foretrace.trace"),
}

__all__ = [
    "Diff",
    "Event",
    "Frame",
    "Header",
    "Limits",
    "Outcome",
    "Recorder",
    "Scope",
    "Trace",
    "diff",
    "load",
    "predict",
    "record",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'foretrace' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
