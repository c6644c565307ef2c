r"""Prediction: a call, a prompt, generated tokens, a Trace. Nothing is executed.

trace = predict(load("tiny"), "def f(x):\\n    return x + 1\\n", "f", "41")
"""

from collections.abc import Sequence
from dataclasses import replace

from foretrace.engine.binding import bind_call
from foretrace.engine.drafts import TraceDrafter
from foretrace.engine.grammar import FrameGrammar
from foretrace.engine.types import Engine, Generation, Prompt
from foretrace.errors import FormatError
from foretrace.trace import (
    Event,
    Frame,
    FrameParser,
    Header,
    Outcome,
    Segment,
    Token,
    Trace,
    frame_segments,
    prompt_segments,
)

Call = tuple[str, str, str]
"""Source, entry function, text of the argument list."""


def build_prompt(source: str, entry: str, arguments: str) -> Prompt:
    """The prompt for `entry(arguments)`.

    Raises:
        UsageError: the source or the arguments do not parse, there is no such function, or the arguments do not bind.

    """
    call = bind_call(source, entry, arguments)
    line = call.source.split("\n")[call.line - 1]
    first = Frame(Event.CALL, call.entry, 0, call.line, line, locals=call.locals)
    [frame] = frame_segments([first])
    return Prompt(call, (first,), (*prompt_segments(call.source, call.line), *frame))


def predict(
    engine: Engine,
    source: str,
    entry: str,
    arguments: str,
    *,
    path: str = "<string>",
    max_tokens: int = 4096,
    temperature: float = 0.0,
    seed: int = 0,
    grammar: bool = False,
    drafts: bool = True,
) -> Trace:
    """What `entry(arguments)` would do, as `engine` has it.

    Args:
        grammar: decode only lines that exist, in an order that control flow allows (`engine/grammar.py`).
        drafts: foresee what is likely, for the engine to verify (`engine/drafts.py`): faster, and the same trace.

    Raises:
        UsageError: see `build_prompt`.

    """
    calls = [(source, entry, arguments)]
    [trace] = predict_many(
        engine, calls, max_tokens=max_tokens, temperature=temperature, seed=seed, grammar=grammar, drafts=drafts
    )
    return replace(trace, header=replace(trace.header, path=path))


def predict_many(
    engine: Engine,
    calls: Sequence[Call],
    *,
    max_tokens: int = 4096,
    temperature: float = 0.0,
    seed: int = 0,
    grammar: bool = False,
    drafts: bool = True,
) -> list[Trace]:
    """`predict` for many calls at once; the engine decodes them together."""
    prompts = [build_prompt(*call) for call in calls]
    encode = engine.tokenizer.encode
    generations = engine.generate(
        [encode(p.segments) for p in prompts],
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
        stop=[engine.tokenizer.id_of(Token.END_OF_TEXT)],
        grammars=[FrameGrammar(engine.tokenizer, p) for p in prompts] if grammar else None,
        drafters=[TraceDrafter(engine.tokenizer, p) for p in prompts] if drafts else None,
    )
    return [_trace(engine, p, g) for p, g in zip(prompts, generations, strict=True)]


def _trace(engine: Engine, prompt: Prompt, generation: Generation) -> Trace:
    """Parses what was generated; what cannot be parsed ends the trace, and the header says so."""
    parser = FrameParser(prompt.call.source, prompt.call.line)
    for frame in frame_segments(prompt.frames):
        parser.feed(frame)
    detail = {"length": "tokens", "context": "context"}.get(generation.finish, "")
    ended = False
    pending: list[Segment] = []
    try:
        for segment in engine.tokenizer.decode(generation.tokens):
            if segment is Token.END_OF_TEXT:
                ended = not pending
                break
            pending.append(segment)
            if segment is Token.FRAME_SEP:
                parser.feed(pending)
                pending = []
    except FormatError as error:
        ended, detail = False, f"format: {error}"
    if not ended and not detail:
        detail = "format: the text ends within a frame"
    frames = parser.finish(ended)
    outcome = Outcome.TRUNCATED
    if ended and parser.depth == 0:
        outcome = Outcome.RETURNED
    elif ended and parser.depth == 1 and frames[-1].event is Event.EXCEPTION:
        outcome = Outcome.RAISED
    elif ended:
        detail = "format: the text ends before the entry function is left"
    header = Header(
        source=prompt.call.source,
        entry=prompt.call.entry,
        arguments=prompt.call.locals,
        kind="predicted",
        model=engine.name,
        outcome=outcome,
        detail=detail,
    )
    return Trace(header, frames)
