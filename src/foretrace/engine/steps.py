"""What a step of a prediction is: a frame, and how likely the model held each part of it.

A frame is written as tokens; each belongs to its event, to its source line or to one of its values, and the probability of a
part is the joint one of its tokens. Nothing here is calibrated: that is `foretrace.debug`'s.

    steps = predictor.steps(prompt, prompt.frames, budget=4096)
    for step in steps:
        step.frame.line, step.values[0].text, math.exp(step.values[0].logprob)
    steps.finish                                  # Finish(reason='end', detail='')
"""

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate
from math import fsum, log

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.types import Prompt
from foretrace.trace import Event, Frame, FrameParser, Header, Outcome, Trace, frame_segments, prompt_segments

_UNCHANGED = b".."
_PAIR = re.compile(rb'"((?:[^"\\]|\\.)*)"\s*:\s*"((?:[^"\\]|\\.)*)"', re.DOTALL)
"""A name and its value in a JSON object of strings."""
REST_OF_STRING = re.compile(rb'(?:[^"\\]|\\.)*"', re.DOTALL)
"""What follows the opening quote of a JSON string."""
_CHARACTERS_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Value:
    """A local, or what is returned or raised."""

    name: str
    """Empty for what is returned or raised."""
    text: str
    """Its repr, also where the model wrote only that it is unchanged."""
    logprob: float
    """Natural logarithm of the joint probability of its tokens, given all before them; see `FrameReader`."""
    margin: float
    """Smallest of its tokens: log probability of the token less that of the best other one, in nats."""
    tokens: int
    unchanged: bool = False
    """Whether it was written `..`, as in the scope's frame before."""


@dataclass(frozen=True, slots=True)
class Step:
    """One frame of a prediction, or of a real trace as a model sees it."""

    frame: Frame
    logprob: float
    """Of the whole frame."""
    event_logprob: float
    """That this kind of frame comes next."""
    line_logprob: float
    """That it is at this line, given its event and, of calls and lines, its locals."""
    values: tuple[Value, ...]
    """In the order of the frame."""
    tokens: int

    @property
    def ghost(self) -> bool:
        """Whether the line is not in the source."""
        return self.frame.ghost


class StopReason(StrEnum):
    """Why there are no further steps."""

    END = "end"
    """The entry function was left."""
    BUDGET = "budget"
    """As many tokens were written as were allowed."""
    CONTEXT = "context"
    """The model's context is full."""
    FORMAT = "format"
    """What came next was no frame."""


_DETAILS = {StopReason.BUDGET: "tokens", StopReason.CONTEXT: "context"}
"""What the header of a trace says of them."""


@dataclass(frozen=True, slots=True)
class Finish:
    """How a prediction ended."""

    reason: StopReason
    detail: str = ""
    """Of `FORMAT`: what is wrong. Of a recorded trace: the limit that cut it."""

    @property
    def is_final(self) -> bool:
        """Whether a larger budget changes nothing: also where it is a recorded trace that was cut."""
        return self.reason is not StopReason.BUDGET or bool(self.detail)


class Steps(Iterator[Step]):
    """Steps one by one, each made when it is asked for; `finish` is there once they are over."""

    def __init__(self, run: Generator[Step, None, Finish]) -> None:
        """`run` yields the steps and returns how they end."""
        self.finish: Finish | None = None
        self._run = run

    def __next__(self) -> Step:
        try:
            return next(self._run)
        except StopIteration as stop:
            self.finish = self.finish or stop.value
            raise


def trace_of(prompt: Prompt, frames: Sequence[Frame], finish: Finish | None, model: str) -> Trace:
    """The predicted trace of some frames, the known ones included; `finish` is None if nobody asked for more."""
    outcome, detail = Outcome.TRUNCATED, "stopped"
    if finish is not None and finish.reason is StopReason.END:
        outcome, detail = (Outcome.RETURNED if frames[-1].event is Event.RETURN else Outcome.RAISED), ""
    elif finish is not None and finish.reason is StopReason.FORMAT:
        detail = f"format: {finish.detail}"
    elif finish is not None:
        detail = finish.detail or _DETAILS[finish.reason]
    call = prompt.call
    header = Header(
        source=call.source,
        entry=call.entry,
        arguments=frames[0].state if frames else call.locals,
        kind="predicted",
        model=model,
        outcome=outcome,
        detail=detail,
    )
    return Trace(header, tuple(frames))


def finish_of(trace: Trace) -> Finish:
    """How the prediction that a trace is, or could have been, ended: the reverse of `trace_of`."""
    detail = trace.header.detail
    if trace.header.outcome is not Outcome.TRUNCATED:
        return Finish(StopReason.END)
    if detail.startswith("format: "):
        return Finish(StopReason.FORMAT, detail.removeprefix("format: "))
    return Finish(StopReason.CONTEXT if detail == _DETAILS[StopReason.CONTEXT] else StopReason.BUDGET, detail)


def finish_at_end(parser: FrameParser, *, is_within: bool) -> Finish:
    """How a prediction ended whose model says that it is over, within a frame or after those that the parser has."""
    if parser.may_end and not is_within:
        return Finish(StopReason.END)
    what = "within a frame" if is_within else "before the entry function is left"
    return Finish(StopReason.FORMAT, f"the text ends {what}")


def extended(prompt: Prompt, known: Sequence[Frame]) -> Prompt:
    """A prompt in which the trace has gone as far as `known`, which begins with the entry's call frame.

    Raises:
        FormatError: a frame stands outside any call.

    """
    segments = prompt_segments(prompt.call.source, prompt.call.line)
    for frame in frame_segments(known):
        segments += frame
    return replace(prompt, frames=tuple(known), segments=tuple(segments))


def previous_state(frames: Sequence[Frame], at: int, depth: int) -> dict[str, str]:
    """The locals that `..` stands for in a line frame of that depth with number `at`; empty if it shows them all."""
    for number in range(at - 1, -1, -1):
        frame = frames[number]
        if frame.depth == depth and frame.locals is not None:
            return frame.locals
        if frame.depth != depth or frame.event is not Event.EXCEPTION or frame.unwind:
            break
    return {}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands in the tokens of its frame."""

    tokens: range
    lead: bytes
    """What these tokens spell before the text of the value begins."""
    unchanged: bool


class FrameReader:
    """Finds which of a frame's tokens say what.

    A value's tokens are those from the closing quote of its name to its own closing quote: whether a value is unchanged is
    decided there, and where it ends too. One that reaches beyond counts as a whole, so that a value which ends the locals
    answers for that as well.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._spelling = tokenizer.spelling
        self._special = {number: token for token, number in tokenizer.specials.items()}

    def step(self, frame: Frame, ids: Sequence[int], logprobs: Sequence[float], margins: Sequence[float]) -> Step:
        """The step of one frame; `ids` are its tokens, from the event's to `<|frame_sep|>`, which parse as `frame`."""
        texts = {"": frame.value or ""} if frame.locals is None else frame.locals
        line, places = self.places(ids)
        values = tuple(
            Value(
                name,
                texts[name],
                fsum(logprobs[at] for at in place.tokens),
                min(margins[at] for at in place.tokens),
                len(place.tokens),
                place.unchanged,
            )
            for name, place in places.items()
        )
        return Step(frame, fsum(logprobs), logprobs[0], fsum(logprobs[at] for at in line), values, len(ids))

    def places(self, ids: Sequence[int]) -> tuple[range, dict[str, Place]]:
        """The tokens of the source line, and the place of each value, by name (`""`: what is returned or raised)."""
        marks = [at for at, number in enumerate(ids) if number in self._special]
        line = range(marks[1] + 1, marks[2])
        if len(marks) == 3:
            return line, self._locals(ids, range(1, marks[1]))
        return line, {"": Place(range(marks[2] + 1, marks[3]), b'"', False)}

    def _locals(self, ids: Sequence[int], where: range) -> dict[str, Place]:
        pieces = [self._spelling(ids[at]) for at in where]
        ends = list(accumulate(map(len, pieces)))
        written = b"".join(pieces)
        found = {}
        for pair in _PAIR.finditer(written):
            name = json.loads(f'"{pair[1].decode("utf-8", "replace")}"')
            first, last = bisect_right(ends, pair.end(1)), bisect_left(ends, pair.end())
            lead = written[ends[first] - len(pieces[first]) : pair.start(2)]
            found[name] = Place(range(where.start + first, where.start + last + 1), lead, pair[2] == _UNCHANGED)
        return found


def step_without_tokens(frames: Sequence[Frame], at: int, frame: Frame, sure: Callable[[str], float]) -> Step:
    """A step that no model wrote; its tokens are counted as four characters each.

    Args:
        frames, at: what is before it: the first `at` of these.
        frame: what happens.
        sure: the probability, between 0 and 1, of the value of a name (empty: of what is returned or raised).

    """
    previous = previous_state(frames, at, frame.depth) if frame.event is Event.LINE else {}
    texts = {"": frame.value or ""} if frame.locals is None else frame.locals
    values = []
    for name, text in texts.items():
        unchanged = previous.get(name) == text
        tokens = 1 if unchanged else 1 + len(text) // _CHARACTERS_A_TOKEN
        probability = sure(name)
        values.append(Value(name, text, log(probability), log(probability / (1 - probability)), tokens, unchanged))
    tokens = 3 + len(frame.source) // _CHARACTERS_A_TOKEN + sum(1 + value.tokens for value in values)
    return Step(frame, fsum(value.logprob for value in values), 0.0, 0.0, tuple(values), tokens)
