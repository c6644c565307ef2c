"""A real execution becomes a trace."""

from foretrace.record.reference import Recorder, record_program
from foretrace.record.values import Renderer, ValueLimits

__all__ = ["Recorder", "Renderer", "ValueLimits", "record_program"]
