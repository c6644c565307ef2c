"""From sources to a dataset of traces: one definition, run by processes of this machine or by a Ray cluster."""

from foretrace.data.pipeline.definition import Definition
from foretrace.data.pipeline.engines import ENGINES, open_engine
from foretrace.data.pipeline.make import make

__all__ = ["ENGINES", "Definition", "make", "open_engine"]
