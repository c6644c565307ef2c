r"""Predictors: what a debugger asks. Which frames follow known ones, how likely they are, and what else could have been.

    predictor = load_predictor("tiny")
    prompt = build_prompt("def f(x):\\n    return x + 1\\n", "f", "41")
    for step in predictor.steps(prompt, prompt.frames, budget=4096):
        print(step.frame.line, [value.text for value in step.values])

Callers keep the frames: a predictor is told all of them each time. So stepping back, editing a value and going on, or going
on from reality is to tell it others. Engines keep what they have computed for what begins alike.
"""

import zlib
from collections.abc import Generator, Sequence
from dataclasses import replace
from math import exp, inf
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from foretrace.engine.alternatives import Alternative, other_values
from foretrace.engine.drafts import TraceDrafter
from foretrace.engine.grammar import FrameGrammar
from foretrace.engine.load import find_folder, load, parse_options, unknown_model
from foretrace.engine.oracle import KINDS, OraclePredictor, Real
from foretrace.engine.replay import ReplayPredictor
from foretrace.engine.steps import Finish, FrameReader, Step, Steps, StopReason, extended, finish_at_end
from foretrace.engine.types import Engine, Generation, Prompt
from foretrace.errors import FormatError, RefusedError, UsageError
from foretrace.trace import EVENT_TOKENS, Event, Frame, FrameParser, Token, frame_segments, prompt_segments
from foretrace.trace.wire import FrameSegmenter

MOST_NEXT = 20
"""Next tokens among which the events are looked for: as many as vLLM gives unless it is told otherwise."""


class Predictor(Protocol):
    """Predicts what follows known frames. `known` always begins with the call frame of the entry."""

    @property
    def name(self) -> str:
        """What the user called it."""

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
        """What follows, one frame at a time, until the trace ends or `budget` tokens are written.

        An exception is told together with whether it left its scope: after the next frame has been made, for only that
        shows it. A frame depends on what the frames before it say and, at a temperature, on the seed and on how many they
        are, not on how they came about: going on after a pause, or after stepping back, gives the same.

        Raises:
            FormatError: the known frames are not the beginning of a trace.

        """

    def score(self, prompt: Prompt, frames: Sequence[Frame]) -> list[Step]:
        """How likely each frame of a given trace was after those before it, in one pass and without predicting anything.

        The frames that fit into the model's context, from the first on; so there may be fewer steps than frames.
        """

    def alternatives(self, prompt: Prompt, known: Sequence[Frame], frame: Frame, name: str, count: int) -> list[Alternative]:
        """At most `count` other values of a local of `frame`, or of what it returns or raises (`""`), likeliest first.

        Raises:
            UsageError: the frame has no such local.

        """

    def events(self, prompt: Prompt, known: Sequence[Frame]) -> dict[Event | None, float]:
        """The probability of each kind of frame to come next, and of the end (None). What is missing to 1 is no frame."""


class TokenPredictor:
    """Predicts by an engine, which writes tokens."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._reader = FrameReader(engine.tokenizer)

    @property
    def name(self) -> str:
        """What the user called the engine."""
        return self.engine.name

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
        """See `Predictor.steps`."""
        writer = _Writer(self.engine, extended(prompt, known), temperature, seed, grammar)
        return Steps(self._run(writer, budget))

    def _run(self, writer: "_Writer", budget: int) -> Generator[Step, None, Finish]:
        held: Step | None = None  # an exception, until it is known whether it left its scope
        while True:
            generation = writer.write(budget)
            budget -= len(generation.tokens)
            finish = writer.read(generation)
            frames = writer.parser.finish(finish is not None and finish.reason is StopReason.END)
            if held is not None:
                yield replace(held, frame=frames[-1 if finish else -2])
            if finish is not None:
                return finish
            step = self._reader.step(frames[-1], generation.tokens, generation.logprobs, generation.margins)
            held = step if step.frame.event is Event.EXCEPTION else None
            if held is None:
                yield step

    def score(self, prompt: Prompt, frames: Sequence[Frame]) -> list[Step]:
        """See `Predictor.score`. Margins are bounds: of the right sign, and not larger than the true ones."""
        tokenizer = self.engine.tokenizer
        ids = tokenizer.encode(prompt_segments(prompt.call.source, prompt.call.line))
        spans = []
        for frame, segments in zip(frames, frame_segments(frames), strict=True):
            start = len(ids)
            ids += tokenizer.encode(segments)
            spans.append((frame, start, len(ids)))
        ids = ids[: self.engine.context_length]
        best, logprobs = self.engine.predict_next(ids)
        margins = _margins_at_least(logprobs, best[:-1] == np.array(ids[1:]))
        steps = []
        for frame, start, end in spans:
            if end > len(ids):
                break
            before = slice(start - 1, end - 1)  # where these tokens were predicted
            steps.append(self._reader.step(frame, ids[start:end], logprobs[before].tolist(), margins[before].tolist()))
        return steps

    def alternatives(self, prompt: Prompt, known: Sequence[Frame], frame: Frame, name: str, count: int) -> list[Alternative]:
        """See `Predictor.alternatives` and `other_values`."""
        return other_values(self.engine, prompt, known, frame, name, count)

    def events(self, prompt: Prompt, known: Sequence[Frame]) -> dict[Event | None, float]:
        """See `Predictor.events`; one beyond the twenty likeliest tokens counts as impossible."""
        tokenizer = self.engine.tokenizer
        next_tokens = dict(self.engine.top_next(tokenizer.encode(extended(prompt, known).segments), MOST_NEXT))
        tokens: list[tuple[Event | None, Token]] = [*EVENT_TOKENS.items(), (None, Token.END_OF_TEXT)]
        return {event: exp(next_tokens.get(tokenizer.id_of(token), -inf)) for event, token in tokens}


def load_predictor(name: str, *, real: Real | None = None) -> Predictor:
    """The predictor called `name`: `oracle:err=0.05,seed=1,kinds=value+line`, `replay:TRACE`, or any that `load` knows.

    Args:
        name: what the user wrote.
        real: runs a program, for the oracle; None: nothing may be run.

    Raises:
        UsageError: there is no such predictor, or no such option.
        RefusedError: it would have to run the program.
        CheckpointError, EndpointError, FormatError: see `load` and `ReplayPredictor.load`.

    """
    kind, is_given, rest = name.partition(":")
    if kind == "oracle":
        if real is None:
            raise RefusedError("the oracle runs the program, and running code is off here. A model does not: --model tiny")
        return _oracle(name, real)
    if kind == "replay" and is_given:
        return ReplayPredictor.load(Path(rest), name)
    if kind not in ("http", "https", "torch") and find_folder(name) is None:
        raise unknown_model(name, "oracle", "replay:TRACE")
    return TokenPredictor(load(name))


def _oracle(name: str, real: Real) -> OraclePredictor:
    _, options = parse_options(name.replace(":", ",", 1), ("err", "seed", "kinds"))
    try:
        err, seed = float(options.get("err", "0.05")), int(options.get("seed", "0"))
    except ValueError as error:
        raise UsageError(f"{name!r}: err and seed are numbers, as in oracle:err=0.05,seed=1") from error
    kinds = options["kinds"].split("+") if "kinds" in options else KINDS
    return OraclePredictor(real, err=err, seed=seed, kinds=kinds, name=name)


class _Writer:
    """Has an engine write one frame after the other, and reads them."""

    def __init__(self, engine: Engine, prompt: Prompt, temperature: float, seed: int, grammar: bool) -> None:
        self.engine, self.temperature, self.seed = engine, temperature, seed
        tokenizer = engine.tokenizer
        self.parser = FrameParser(prompt.call.source, prompt.call.line)
        self._segmenter, self._known = FrameSegmenter(), len(prompt.frames)
        for frame in prompt.frames:
            self.parser.feed(self._segmenter.segments(frame))
        self._ids = tokenizer.encode(prompt.segments)
        self._end = tokenizer.id_of(Token.END_OF_TEXT)
        self._stop = (tokenizer.id_of(Token.FRAME_SEP), self._end)
        self._grammars = [FrameGrammar(tokenizer, prompt)] if grammar else None
        self._drafters = [TraceDrafter(tokenizer, prompt)]

    def write(self, budget: int) -> Generation:
        """The tokens of the next frame, or of the end."""
        [generation] = self.engine.generate(
            [self._ids],
            max_tokens=budget,
            temperature=self.temperature,
            seed=zlib.crc32(f"{self.seed} {len(self.parser.frames)}".encode()),  # frames are not to draw alike
            stop=self._stop,
            grammars=self._grammars,
            drafters=self._drafters,
        )
        self._ids = [*self._ids, *generation.tokens]
        return generation

    def read(self, generation: Generation) -> Finish | None:
        """Gives a frame to the parser; how the prediction ends if this is none."""
        tokens, finish = generation.tokens, generation.finish
        if finish != "stop":
            return Finish(StopReason.CONTEXT if finish == "context" else StopReason.BUDGET)
        if tokens[-1] == self._end:
            return finish_at_end(self.parser, is_within=len(tokens) > 1)
        try:
            self.parser.feed(self.engine.tokenizer.decode(tokens))
        except FormatError as error:
            return Finish(StopReason.FORMAT, str(error))
        self._settle(tokens)
        return None

    def _settle(self, written: list[int]) -> None:
        """Has the engine go on from the last frame as a trace spells it.

        A model may spell it otherwise: an unchanged value in full, a text in other tokens. Whoever goes on from the frames
        later cannot know, and would get another continuation.
        """
        before, frame = self.parser.frames[-2:]
        if before.unwind and len(self.parser.frames) - 2 >= self._known:
            self._segmenter.segments(before)  # an exception, of which only now is known that it left its scope
        self._ids[-len(written) :] = self.engine.tokenizer.encode(self._segmenter.segments(frame))


def _margins_at_least(logprobs: NDArray[np.float32], hits: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Bounds (T,) of margins from the probabilities of the actual tokens and whether they were the likeliest.

    All others together have 1 - p, so none has more.
    """
    certain = np.minimum(logprobs.astype(np.float64), -1e-9)
    odds = certain - np.log(-np.expm1(certain))
    bounds: NDArray[np.float64] = np.where(hits, np.maximum(odds, 0.0), np.minimum(odds, 0.0))
    return bounds
