"""One program with its real execution: what predictions are compared with, and confidence is calibrated on.

case = held_out_cases(1)[0]        # foretrace.evals.traces
case.source, case.real.frames
"""

from dataclasses import dataclass

from foretrace.engine import Prompt, build_prompt
from foretrace.trace import Trace


@dataclass(frozen=True, slots=True)
class Case:
    """One program with its real execution."""

    name: str
    source: str
    entry: str
    arguments: str
    real: Trace
    expected: str
    """The returned value as a literal, by the benchmark where it says so, else by the real execution."""

    @property
    def call(self) -> tuple[str, str, str]:
        """Source, entry function, text of the argument list."""
        return self.source, self.entry, self.arguments

    @property
    def prompt(self) -> Prompt:
        """What a model is given of it."""
        return build_prompt(*self.call)
