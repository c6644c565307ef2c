r"""A predicted trace as an answer: the whole wire document, so that the file of a run alone says what was predicted.

    trace = read_trace(answer, case.prompt)     # as far as it parses; None: it is not of this call
    read_result(answer)                         # "'bca'", or None: it was cut, raised, or is malformed
    read_result(write_result("'bca'"))          # "'bca'"

Such a text is parsed, never executed, however hostile: a special token that a model spells out as text stays text.
"""

from collections.abc import Sequence

from foretrace.engine import Finish, Prompt, StopReason, trace_of
from foretrace.engine.binding import BoundCall
from foretrace.engine.steps import finish_at_end
from foretrace.errors import FormatError
from foretrace.trace import (
    Event,
    Frame,
    FrameParser,
    Header,
    Segment,
    Token,
    Trace,
    frame_segments,
    from_text,
    prompt_segments,
    to_segments,
    to_text,
)
from foretrace.trace.wire import split_context

MAX_CHARACTERS = 4_000_000
"""Of a document that is read: more than a context of 131,072 tokens holds."""
_HEAD = 4
"""Segments before the first frame."""


def read_trace(text: str, prompt: Prompt | None = None) -> Trace | None:
    """The trace that a document tells, up to what is no frame; its header says how it ended, as a prediction's does.

    None if there is not even a first frame, or if it does not begin as `prompt` does, which is then the call it must be of.
    """
    if len(text) > MAX_CHARACTERS or (prompt and not text.startswith(to_text(prompt.segments))):
        return None
    segments = from_text(text)
    try:
        if len(segments) < _HEAD or isinstance(segments[2], Token) or segments[3] is not Token.FRAME_SEP:
            return None
        source, line = split_context(segments[2])
    except FormatError:
        return None
    parser = FrameParser(source, line)
    finish = _feed(parser, segments[_HEAD:])
    frames = parser.finish(finish.reason is StopReason.END)
    if not frames:
        return None
    call = prompt.call if prompt else BoundCall(source, frames[0].function, line, frames[0].state)
    return trace_of(Prompt(call, frames[:1], ()), frames, finish, "")


def _feed(parser: FrameParser, segments: Sequence[Segment]) -> Finish:
    pending: list[Segment] = []
    try:
        for segment in segments:
            if segment is Token.END_OF_TEXT:
                return finish_at_end(parser, is_within=bool(pending))
            pending.append(segment)
            if segment is Token.FRAME_SEP:
                parser.feed(pending)
                pending = []
    except FormatError as error:
        return Finish(StopReason.FORMAT, str(error))
    return Finish(StopReason.BUDGET)


def prompt_of(trace: Trace) -> Prompt:
    """What a model is given of a trace that is there: its context and its first frame, which need not be literal."""
    first, source = trace.frames[0], trace.header.source
    [frame] = frame_segments([first])
    call = BoundCall(source, first.function, first.line, first.state)
    return Prompt(call, (first,), (*prompt_segments(source, first.line), *frame))


def read_result(text: str) -> str | None:
    """The repr of what the entry function returns in a document; None if it does not."""
    trace = read_trace(text)
    return None if trace is None else trace.result


def write_result(result: str) -> str:
    """A smallest document whose entry function returns `result`: as a control says it."""
    lines = ["def f():", "    return"]
    frames = (
        Frame(Event.CALL, "f", 0, 1, lines[0], locals={}),
        Frame(Event.RETURN, "f", 0, 2, lines[1], value=result),
    )
    return to_text(to_segments(Trace(Header(source="\n".join(lines), entry="f"), frames)))


def frames_of(text: str) -> list[list[Segment]]:
    """The frames of a document, whatever is in them: each up to its `<|frame_sep|>`, which it holds."""
    found: list[list[Segment]] = [[]]
    for segment in from_text(text[:MAX_CHARACTERS])[_HEAD:]:
        found[-1].append(segment)
        if segment is Token.FRAME_SEP:
            found.append([])
    return found[:-1]
