"""A real execution becomes a trace.

    from foretrace.record import Recorder, Scope, record

Names are imported when they are first used: pytest imports this package at every start, for the plugin in it.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foretrace.record.child import argument_text, read_target, record, record_source, recording_sandbox
    from foretrace.record.program import record_program
    from foretrace.record.recorder import Recorder
    from foretrace.record.scope import Scope
    from foretrace.record.values import Renderer, ValueLimits

__all__ = [
    "Recorder",
    "Renderer",
    "Scope",
    "ValueLimits",
    "argument_text",
    "read_target",
    "record",
    "record_program",
    "record_source",
    "recording_sandbox",
]

_HOMES = {
    **dict.fromkeys(("argument_text", "read_target", "record", "record_source", "recording_sandbox"), "child"),
    "record_program": "program",
    "Recorder": "recorder",
    "Scope": "scope",
    **dict.fromkeys(("Renderer", "ValueLimits"), "values"),
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        found = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


class _Verb(ModuleType):
    """`foretrace.record` is this package and the verb: importing the package hides the function of that name."""

    def __call__(self, target: str, /, *args: Any, **kwargs: Any) -> Any:
        from foretrace.record.child import record

        return record(target, *args, **kwargs)


sys.modules[__name__].__class__ = _Verb
