"""Skipping ahead: the state after a line, a loop or a call, without its steps.

The model is made to write, as the next frame, one that comes after what is skipped: its event and its source line are
given, its locals or its value are the model's. That is the neural debugger's step over and step out (arXiv:2603.09951),
asked of a model that need not know of them: one that was not trained on skipping has only seen frames that follow each
other, and guesses.

    targets = targets_of(structure, frame, "line")          # [Target(event='line', line=5)]
    step = skip_to(engine, prompt, known, targets, budget=500)

Where many are skipped at once, `FrameWriter.open_return` gives what the engine is to continue.
"""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf

from foretrace.engine import Engine, Finish, Prompt, Step, StopReason
from foretrace.engine.predictor import MOST_NEXT
from foretrace.engine.steps import FrameReader, extended
from foretrace.errors import FormatError, UsageError
from foretrace.trace import EVENT_TOKENS, Event, Frame, FrameParser, Token, frame_segments
from foretrace.trace.structure import Structure

WHAT = ("line", "loop", "call")
"""What can be skipped: what the line at the position calls; the rest of its loop; the rest of its function."""


@dataclass(frozen=True, slots=True)
class Target:
    """A frame that may come after what is skipped."""

    event: Event
    line: int


def targets_of(structure: Structure, frame: Frame, what: str) -> list[Target]:
    """The frames of the same scope that can follow `frame` when the line, the loop or the call is skipped.

    Raises:
        UsageError: there is nothing to skip.

    """
    if what not in WHAT:
        raise UsageError(f"cannot skip a {what!r}; what can be skipped: {', '.join(WHAT)}")
    scope = structure.scope(frame.function)
    if frame.locals is None or frame.ghost or scope is None:
        raise UsageError(f"there is nothing to skip at a {frame.event} frame at line {frame.line}; step on")
    exits = structure.exits(frame.function)
    if what == "call":
        return [Target(Event.RETURN, line) for line in exits]
    skipped, lines = range(frame.line, frame.line + 1), scope.flow.get(frame.line, [])
    if what == "loop":
        loops = structure.loops_at(frame.function, frame.line)
        if not loops:
            raise UsageError(f"there is no loop around line {frame.line}; skip the line or the call")
        skipped = loops[-1].lines
        lines = [after for line in skipped for after in scope.flow.get(line, [])]
    elif isinstance(statement := structure.statement(frame.function, frame.line), ast.Raise):
        return [Target(Event.EXCEPTION, frame.line)]
    elif isinstance(statement, ast.Return):
        lines = []
    found = [Target(Event.LINE, line) for line in dict.fromkeys(lines) if what == "line" or line not in skipped]
    return found + [Target(Event.RETURN, line) for line in exits if line in skipped]


def skip_to(
    engine: Engine,
    prompt: Prompt,
    known: Sequence[Frame],
    targets: Sequence[Target],
    *,
    budget: int,
    temperature: float = 0.0,
    seed: int = 0,
) -> Step | Finish:
    """The frame at the likeliest of some targets, as the model writes it after `known`; or why there is none."""
    writer = FrameWriter(engine, extended(prompt, known), budget, temperature, seed)
    if not writer.has_room:
        return Finish(StopReason.CONTEXT)
    event = writer.choose_event(target.event for target in targets)
    return writer.write(event, [target.line for target in targets if target.event is event])


class FrameWriter:
    """Writes one frame after a prompt, part by part: some are given, some generated."""

    def __init__(self, engine: Engine, prompt: Prompt, budget: int, temperature: float = 0.0, seed: int = 0) -> None:
        self.engine, self.prompt, self.budget = engine, prompt, budget
        self.temperature, self.seed = temperature, seed
        self._start = engine.tokenizer.encode(prompt.segments)
        self._ids: list[int] = []
        self._logprobs: list[float] = []
        self._margins: list[float] = []

    @property
    def has_room(self) -> bool:
        """Whether the context holds what is given, and the longest line of the source after it."""
        longest = max(map(len, self.prompt.call.source.encode("utf-8", "surrogatepass").split(b"\n")))
        return len(self._start) + len(self._ids) + longest < self.engine.context_length

    def choose_event(self, events: Iterable[Event]) -> Event:
        """The likeliest of some; of those that are all very unlikely, the first."""
        tokens = {event: self.engine.tokenizer.id_of(EVENT_TOKENS[event]) for event in events}
        logprobs = dict(self.engine.top_next(self._start, MOST_NEXT)) if len(tokens) > 1 else {}
        return max(tokens, key=lambda event: logprobs.get(tokens[event], -inf))

    def write(self, event: Event, lines: Sequence[int]) -> Step | Finish:
        """A frame of that event at one of the lines."""
        token = self.engine.tokenizer.id_of
        self._give([token(EVENT_TOKENS[event])])
        if event is Event.LINE:
            finish = self._generate(token(Token.ACTION_SEP))
            if finish is None and not self.has_room:
                finish = Finish(StopReason.CONTEXT)
            return finish or self._step(self._choose_line(lines, Token.FRAME_SEP))
        line = self._open_value(lines)
        return self._generate(token(Token.FRAME_SEP)) or self._step(line)

    def open_return(self, lines: Sequence[int]) -> list[int]:
        """Gives all of a return frame at one of the lines but its value; all tokens so far, of the prompt too."""
        self._give([self.engine.tokenizer.id_of(EVENT_TOKENS[Event.RETURN])])
        self._open_value(lines)
        return [*self._start, *self._ids]

    def _open_value(self, lines: Sequence[int]) -> int:
        self._give([self.engine.tokenizer.id_of(Token.ACTION_SEP)])
        return self._choose_line(lines, Token.ARG_SEP)

    def _give(self, ids: Sequence[int]) -> None:
        self._ids += ids
        self._logprobs += [0.0] * len(ids)
        self._margins += [0.0] * len(ids)

    def _generate(self, end: int) -> Finish | None:
        """Has the model write up to the special token `end`."""
        left = self.budget - len(self._ids)
        if left <= 0:
            return Finish(StopReason.BUDGET)
        [generation] = self.engine.generate(
            [[*self._start, *self._ids]],
            max_tokens=left,
            temperature=self.temperature,
            seed=self.seed,
            stop=list(self.engine.tokenizer.specials.values()),
        )
        self._ids += generation.tokens
        self._logprobs += generation.logprobs
        self._margins += generation.margins
        if generation.finish != "stop":
            return Finish(StopReason.CONTEXT if generation.finish == "context" else StopReason.BUDGET)
        if generation.tokens[-1] != end:
            return Finish(StopReason.FORMAT, "the model wrote no frame after what is skipped")
        return None

    def _choose_line(self, lines: Sequence[int], end: Token) -> int:
        """Gives the likeliest of some source lines, and the special token after it."""
        tokenizer, source = self.engine.tokenizer, self.prompt.call.source.split("\n")
        texts = [[*tokenizer.encode([Token.ACTION_SEP, source[n - 1] + "\n"])[1:], tokenizer.id_of(end)] for n in lines]
        scores = [self._score(text) if len(texts) > 1 else 0.0 for text in texts]
        best = scores.index(max(scores))
        self._give(texts[best])
        return lines[best]

    def _score(self, text: Sequence[int]) -> float:
        _, logprobs = self.engine.predict_next([*self._start, *self._ids, *text])
        return float(logprobs[-len(text) :].sum())

    def _step(self, line: int) -> Step | Finish:
        parser = FrameParser(self.prompt.call.source, self.prompt.call.line)
        try:
            for segments in frame_segments(self.prompt.frames):
                parser.feed(segments)
            frame = parser.feed(self.engine.tokenizer.decode(self._ids))
        except FormatError as error:
            return Finish(StopReason.FORMAT, str(error))
        frame = replace(frame, line=line, unwind=frame.event is Event.EXCEPTION)
        return FrameReader(self.engine.tokenizer).step(frame, self._ids, self._logprobs, self._margins)
