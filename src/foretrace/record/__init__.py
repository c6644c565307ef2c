"""A real execution becomes a trace."""

from foretrace.record.child import argument_text, read_target, record, record_source
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
]
