"""What gets executed: synthesised programs, and the check that none of them is a benchmark's."""

from foretrace.corpus.decontaminate import Decontaminator
from foretrace.corpus.synthesise import Program, programs, synthesise

__all__ = ["Decontaminator", "Program", "programs", "synthesise"]
