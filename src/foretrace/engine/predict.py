r"""Prediction: a call, a prompt, generated tokens, a Trace. Nothing is executed.

trace = predict(load("tiny"), "def f(x):\\n    return x + 1\\n", "f", "41")
"""

from collections.abc import Sequence
from dataclasses import replace

from foretrace.engine.binding import bind_call
from foretrace.engine.drafts import TraceDrafter
from foretrace.engine.grammar import FrameGrammar
from foretrace.engine.steps import Finish, StopReason, finish_at_end, trace_of
from foretrace.engine.types import Engine, Generation, Prompt
from foretrace.errors import FormatError
from foretrace.trace import Event, Frame, FrameParser, Segment, Token, Trace, frame_segments, prompt_segments

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
    finish = Finish(StopReason.CONTEXT if generation.finish == "context" else StopReason.BUDGET)
    pending: list[Segment] = []
    try:
        for segment in engine.tokenizer.decode(generation.tokens):
            if segment is Token.END_OF_TEXT:
                finish = finish_at_end(parser, is_within=bool(pending))
                break
            pending.append(segment)
            if segment is Token.FRAME_SEP:
                parser.feed(pending)
                pending = []
    except FormatError as error:
        finish = Finish(StopReason.FORMAT, str(error))
    return trace_of(prompt, parser.finish(finish.reason is StopReason.END), finish, engine.name)
