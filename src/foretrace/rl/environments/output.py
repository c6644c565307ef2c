"""Output prediction: a program and its call, to be told step by step to the value that it returns.

The policy writes the trace itself, in the format of trace-trained models; the last frame holds the answer. Only that counts:
which way it comes to the value is the policy's affair. Or it jumps: it is given the beginning of the frame in which the call
returns, and writes the rest of it, a tenth of the tokens (the neural debugger's step out, arXiv:2603.09951): the value, and
before it the line, if there are several at which the function can be left.

    environment = OutputPrediction(tokenizer)           # OutputPrediction(tokenizer, jumps=True)
    task = output_task("seed-7", source, "f", "3", expected="[0, 1, 2]")
"""

from collections.abc import Sequence
from typing import Any

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine import Prompt, build_prompt
from foretrace.engine.steps import StopReason, finish_at_end
from foretrace.errors import FormatError
from foretrace.evals.scorers.literal import same_literal
from foretrace.rl.types import PlainStates, Task, Transition
from foretrace.trace import EVENT_TOKENS, Event, FrameParser, Segment, Token, frame_segments
from foretrace.trace.structure import Structure

NAME = "output"


def output_task(name: str, source: str, entry: str, arguments: str, expected: str) -> Task:
    """A task: the call of `entry` returns `expected`, a literal."""
    data = {"source": source, "entry": entry, "arguments": arguments, "expected": expected}
    return Task(environment=NAME, id=name, data=data)


class OutputPrediction(PlainStates):
    """One action: the trace, or its last frame."""

    name = NAME

    def __init__(self, tokenizer: Tokenizer, *, jumps: bool = False) -> None:
        """`jumps`: straight from the call to its return."""
        self._tokenizer = tokenizer
        self._jumps = jumps
        ends = (Token.END_OF_TEXT, Token.FRAME_SEP) if jumps else (Token.END_OF_TEXT,)
        self.stop = frozenset(map(tokenizer.id_of, ends))

    def start(self, task: Task, seed: int) -> Transition:
        """The state is the task."""
        prompt = build_prompt(task.data["source"], task.data["entry"], task.data["arguments"])
        return Transition(state=task, observation=tuple(self._tokenizer.encode([*prompt.segments, *self._opening(prompt)])))

    def step(self, state: Any, action: Sequence[int]) -> Transition:
        """Reads the trace. `outcome`: `right`, whether the value is; `value`, what it was taken to be; `format`, what is
        wrong with the text of the trace, empty if nothing is.
        """
        value, problem = self._read(state, action)
        right = value is not None and same_literal(value, state.data["expected"])
        return Transition(state=state, is_over=True, outcome={"right": right, "value": value, "format": problem})

    def _read(self, task: Task, action: Sequence[int]) -> tuple[str | None, str]:
        prompt = build_prompt(task.data["source"], task.data["entry"], task.data["arguments"])
        parser = FrameParser(prompt.call.source, prompt.call.line)
        for frame in frame_segments(prompt.frames):
            parser.feed(frame)
        pending: list[Segment] = []
        try:
            for segment in self._segments(prompt, action):
                if segment is Token.END_OF_TEXT:
                    finish = finish_at_end(parser, is_within=bool(pending))
                    frames = parser.finish(finish.reason is StopReason.END)
                    is_value = finish.reason is StopReason.END and frames[-1].event is Event.RETURN
                    return (frames[-1].value if is_value else None), finish.detail
                pending.append(segment)
                if segment is Token.FRAME_SEP:
                    parser.feed(pending)
                    pending = []
        except FormatError as error:
            return None, str(error)
        return None, "the text does not end"

    def _opening(self, prompt: Prompt) -> list[Segment]:
        """Of the frame that is jumped to, what is given: all but the value, where it can be one only."""
        if not self._jumps:
            return []
        call = prompt.call
        exits = Structure(call.source).exits(call.entry)
        line = [call.source.split("\n")[exits[0] - 1] + "\n", Token.ARG_SEP] if len(exits) == 1 else []
        return [EVENT_TOKENS[Event.RETURN], Token.ACTION_SEP, *line]

    def _segments(self, prompt: Prompt, action: Sequence[int]) -> list[Segment]:
        """Of the trace, from the frame after the call on; what was jumped to is its end."""
        written = self._tokenizer.decode(list(action))
        return [*self._opening(prompt), *written, Token.END_OF_TEXT] if self._jumps else written
