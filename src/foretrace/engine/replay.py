"""A trace that is there already, told frame by frame: recorded, or predicted before.

    predictor = load_predictor("replay:fib.jsonl")

It is sure of everything and knows of nothing else. Frames are told by their number, whatever is known before them: a value
that a user edits changes nothing of what follows.
"""

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from foretrace.engine.alternatives import Alternative
from foretrace.engine.steps import Finish, Step, Steps, StopReason, finish_of, step_without_tokens
from foretrace.engine.types import Prompt
from foretrace.errors import FormatError, UsageError
from foretrace.record.sink import read_output
from foretrace.trace import Event, Frame, Trace, read_binary, read_jsonl
from foretrace.trace.binary import MAGIC

SURE = 1 - 1e-9
"""The probability of what is known: log odds of it are finite, and JSON can say them."""


class ReplayPredictor:
    """Tells one trace."""

    def __init__(self, trace: Trace, name: str = "replay") -> None:
        self.trace, self._name = trace, name

    @classmethod
    def load(cls, path: Path, name: str = "replay") -> "ReplayPredictor":
        """The first trace of a file in the binary form or in JSON Lines.

        Raises:
            UsageError: there is no such file, or no trace in it.
            FormatError: it is no trace.

        """
        traces = traces_in(path)
        trace = next(traces, None)
        if trace is None:
            raise UsageError(f"{path} holds no trace; make one with: foretrace record FILE::FUNCTION -o {path}")
        return cls(trace, name)

    @property
    def name(self) -> str:
        """What the user called it."""
        return self._name

    def steps(
        self,
        prompt: Prompt,
        known: Sequence[Frame],
        *,
        budget: int,
        temperature: float = 0.0,
        seed: int = 0,
        grammar: bool = False,
    ) -> Steps:
        """The frames after as many as are known, at any temperature; tokens are counted as four characters each.

        Raises:
            UsageError: the trace is of another program.

        """
        self._check(prompt)
        return Steps(self._run(len(known), budget))

    def _run(self, start: int, budget: int) -> Generator[Step, None, Finish]:
        for at in range(start, len(self.trace)):
            step = self._step(self.trace.frames, at)
            budget -= step.tokens
            if budget < 0:
                return Finish(StopReason.BUDGET)
            yield step
        return finish_of(self.trace)

    def score(self, prompt: Prompt, frames: Sequence[Frame]) -> list[Step]:
        """The frames, all of them certain."""
        return [self._step(frames, at) for at in range(len(frames))]

    def alternatives(self, prompt: Prompt, known: Sequence[Frame], frame: Frame, name: str, count: int) -> list[Alternative]:
        """None."""
        return []

    def events(self, prompt: Prompt, known: Sequence[Frame]) -> dict[Event | None, float]:
        """What comes next in the trace, for certain."""
        self._check(prompt)
        frames = self.trace.frames
        following = frames[len(known)].event if len(known) < len(frames) else None
        return {event: float(event is following) for event in (*Event, None)}

    @staticmethod
    def _step(frames: Sequence[Frame], at: int) -> Step:
        return step_without_tokens(frames, at, frames[at], lambda name: SURE)

    def _check(self, prompt: Prompt) -> None:
        if prompt.call.source != self.trace.header.source:
            raise UsageError(
                f"{self._name} is a trace of another program ({self.trace.header.path}); open it with its own source"
            )


def traces_in(path: Path) -> Iterator[Trace]:
    """The traces of a file in the binary form or in JSON Lines; a last one that was cut is truncated.

    Raises:
        UsageError: there is no such file.
        FormatError: it holds something else.

    """
    if not path.is_file():
        raise UsageError(f"no trace at {path}; make one with: foretrace record FILE::FUNCTION -o {path}")
    data = read_output(path)
    if data.startswith(MAGIC):
        return read_binary(data, partial=True)
    try:
        lines = data.decode().splitlines(keepends=True)
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is neither a recording nor JSON Lines: byte {error.start} is no UTF-8") from error
    return read_jsonl(lines, partial=True)
