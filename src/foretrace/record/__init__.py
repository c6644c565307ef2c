"""A real execution becomes a trace."""

from foretrace.record.child import argument_text, read_target, record, record_source
from foretrace.record.reference import Recorder, record_program
from foretrace.record.values import Renderer, ValueLimits

__all__ = [
    "Recorder",
    "Renderer",
    "ValueLimits",
    "argument_text",
    "read_target",
    "record",
    "record_program",
    "record_source",
]
