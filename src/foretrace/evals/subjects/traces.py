"""How an engine of ours answers: by predicting an execution, or a part of it. Nothing is run.

    [answer] = answer_traces(load("tiny"), [question], Sampling(max_tokens=3072))
    read_result(answer.text)                    # see foretrace.evals.documents

The ways (`Question.trace`), each answered with a wire document:

    trace       step by step from the call frame to the end, on the model's own history
    grammar     the same, under the grammar of the program's traces
    jump        what the call returns, straight after the call frame: the neural debugger's step out (arXiv:2603.09951)
    next        the one frame that follows those of `Question.history`
    history     each frame of `Question.history`, after the true ones before it, in one pass
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from foretrace.engine import Engine, FrameGrammar, Generation, Prompt, build_prompt
from foretrace.engine.drafts import TraceDrafter
from foretrace.engine.skip import FrameWriter
from foretrace.errors import UsageError
from foretrace.evals.documents import frames_of, prompt_of, read_trace
from foretrace.evals.types import Answer, Question, Sampling
from foretrace.trace import EVENT_TOKENS, Segment, Token, from_text, to_text
from foretrace.trace.structure import Structure

_EVENTS = frozenset(EVENT_TOKENS.values())


def answer_traces(engine: Engine, questions: Sequence[Question], sampling: Sampling) -> list[Answer]:
    """One answer to each question, in order. Those of one way are decoded together, and share the time that takes.

    A document that the context cannot hold is answered with what it can, and is truncated.

    Raises:
        UsageError: a question is of no call, its arguments do not bind, or its way is not known.

    """
    found: dict[int, Answer] = {}
    for name in dict.fromkeys(question.trace for question in questions):
        if name not in WAYS:
            raise UsageError(f"an engine has no way {name!r} to answer; it has: {', '.join(WAYS)}")
        places = [at for at, question in enumerate(questions) if question.trace == name]
        start = time.perf_counter()
        answers = WAYS[name](engine, [questions[at] for at in places], sampling)
        seconds = (time.perf_counter() - start) / len(places)
        found |= {at: replace(answer, seconds=seconds) for at, answer in zip(places, answers, strict=True)}
    return [found[at] for at in range(len(questions))]


def _prompt(question: Question) -> Prompt:
    """What the engine is given: a call, or where one cannot be bound from text the beginning of its trace."""
    if question.call is not None:
        return build_prompt(*question.call)
    known = read_trace(question.history)
    if known is None:
        raise UsageError("this question is not of a call: only a model that answers in text can be asked")
    return prompt_of(known)


# ---------------------------------------------------------------------------------------------------
# Writing


def _trace(engine: Engine, questions: Sequence[Question], sampling: Sampling) -> list[Answer]:
    prompts = [_prompt(question) for question in questions]
    return _continue(engine, [prompt.segments for prompt in prompts], sampling, (Token.END_OF_TEXT,), drafted=prompts)


def _under_grammar(engine: Engine, questions: Sequence[Question], sampling: Sampling) -> list[Answer]:
    prompts = [_prompt(question) for question in questions]
    segments = [prompt.segments for prompt in prompts]
    return _continue(engine, segments, sampling, (Token.END_OF_TEXT,), drafted=prompts, grammar=True)


def _next(engine: Engine, questions: Sequence[Question], sampling: Sampling) -> list[Answer]:
    known = [from_text(question.history) for question in questions]
    return _continue(engine, known, sampling, (Token.FRAME_SEP, Token.END_OF_TEXT))


def _jump(engine: Engine, questions: Sequence[Question], sampling: Sampling) -> list[Answer]:
    """The line of the return is the likeliest of those at which the function can be left; its value is the model's."""
    opened: list[Sequence[Segment]] = []
    for question in questions:
        prompt = _prompt(question)
        writer = FrameWriter(engine, prompt, sampling.max_tokens)
        exits = Structure(prompt.call.source).exits(prompt.call.entry)
        can_jump = exits and writer.has_room
        opened.append(engine.tokenizer.decode(writer.open_return(exits)) if can_jump else prompt.segments)
    answers = _continue(engine, opened, sampling, (Token.FRAME_SEP, Token.END_OF_TEXT))
    end = Token.END_OF_TEXT.value  # what was skipped to is the end
    return [replace(a, text=a.text.removesuffix(end) + ("" if a.is_truncated else end)) for a in answers]


def _continue(
    engine: Engine,
    documents: Sequence[Sequence[Segment]],
    sampling: Sampling,
    stop: Sequence[Token],
    *,
    drafted: Sequence[Prompt] | None = None,
    grammar: bool = False,
) -> list[Answer]:
    """Documents as the model goes on with them, up to a token of `stop`."""
    tokenizer = engine.tokenizer
    ids = [tokenizer.encode(document) for document in documents]
    fitting = [at for at, known in enumerate(ids) if len(known) < engine.context_length]
    prompts = [drafted[at] for at in fitting] if drafted else None
    generations = engine.generate(
        [ids[at] for at in fitting],
        max_tokens=sampling.max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        seed=sampling.seed,
        stop=[tokenizer.id_of(token) for token in stop],
        grammars=[FrameGrammar(tokenizer, p) for p in prompts] if prompts and grammar else None,
        drafters=[TraceDrafter(tokenizer, p) for p in prompts] if prompts else None,
    )
    written = dict(zip(fitting, generations, strict=True))
    return [
        _answer(engine, document, len(known), written.get(at, Generation([], [], "context")))
        for at, (document, known) in enumerate(zip(documents, ids, strict=True))
    ]


def _answer(engine: Engine, document: Sequence[Segment], prompt_tokens: int, generation: Generation) -> Answer:
    return Answer(
        text=to_text([*document, *engine.tokenizer.decode(generation.tokens)]),
        is_truncated=generation.finish != "stop",
        prompt_tokens=prompt_tokens,
        tokens=len(generation.tokens),
    )


# ---------------------------------------------------------------------------------------------------
# Judging each step after the true ones


def _history(engine: Engine, questions: Sequence[Question], sampling: Sampling) -> list[Answer]:
    return [_judged(engine, question) for question in questions]


def _judged(engine: Engine, question: Question) -> Answer:
    """Each part of each frame as greedy decoding has it, given all that is true before it.

    One pass tells the likeliest token at each place. A part ends, as it is not known how it would go on, with the first
    token that is another one than the true one; what the context does not hold is empty.
    """
    tokenizer, prompt = engine.tokenizer, _prompt(question)
    known: list[Segment] = list(prompt.segments)
    start = len(tokenizer.encode(known))
    frames = frames_of(question.history)[len(prompt.frames) :]
    ids, spans = tokenizer.encode(known), []
    for frame in frames:
        spans.append(_spans(engine, frame, len(ids)))
        ids += tokenizer.encode(frame)
    fitting = ids[: engine.context_length]
    best = np.full(len(ids), -1, dtype=np.int64)
    best[1 : len(fitting)] = engine.predict_next(fitting)[0][: len(fitting) - 1]
    for frame, parts in zip(frames, spans, strict=True):
        for segment, part in zip(frame, parts, strict=True):
            known += _part(engine, segment, ids[part.start : part.stop], best[part.start : part.stop])
    if len(ids) > len(fitting):
        return Answer(text=to_text(known), is_truncated=True, prompt_tokens=start, tokens=len(fitting) - start)
    return Answer(text=to_text([*known, Token.END_OF_TEXT]), prompt_tokens=start, tokens=len(ids) - start)


def _part(engine: Engine, true: Segment, ids: Sequence[int], best: NDArray[np.int64]) -> list[Segment]:
    """A segment as the model has it. Separators are given; an event that is none is left out."""
    if isinstance(true, Token) and true not in _EVENTS:
        return [true]
    right = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ids, best, strict=True)))
    if right == len(ids):
        return [true]
    told = [int(token) for token in best[: right + 1] if token >= 0]
    segments = engine.tokenizer.decode(told)
    if isinstance(true, Token):
        return [segment for segment in segments if segment in _EVENTS or segment is Token.END_OF_TEXT]
    text = "".join(segment for segment in segments if not isinstance(segment, Token))
    return [text + CUT]


CUT = "…"
"""Ends a part of which a token was wrong: no true part ends with it, as true ones end with `}`, `"` or a newline."""


def _spans(engine: Engine, frame: Sequence[Segment], start: int) -> list[range]:
    """Where the tokens of each segment of a frame stand."""
    parts, position = [], start
    before: Token | None = None
    for segment in frame:
        # how a text is tokenised depends on the special token before it
        context: list[Segment] = [] if before is None else [before]
        length = len(engine.tokenizer.encode([*context, segment])) - len(context)
        parts.append(range(position, position + length))
        position += length
        before = segment if isinstance(segment, Token) else before
    return parts


Way = Callable[[Engine, Sequence[Question], Sampling], list[Answer]]
WAYS: dict[str, Way] = {"trace": _trace, "grammar": _under_grammar, "jump": _jump, "next": _next, "history": _history}
"""By name."""
