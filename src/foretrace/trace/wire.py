r"""The CWM wire format: what a model reads and writes. See `docs/trace-format.md`, section 3.

A wire document is a sequence of segments, each a `Token` (special) or a piece of user text. Special tokens
inside user text are therefore never special: the segments of a program that contains the literal
`<|frame_sep|>` differ from those of a frame that ends there. `to_text` writes segments as one string, and
protects such literals with a backslash (`<\\|frame_sep|>`); for all other programs it is exactly CWM's text.

    segments = to_segments(trace)
    assert from_segments(segments).frames == trace.frames      # but for what the wire cannot say
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum

from foretrace.errors import FormatError
from foretrace.trace.lines import LinePlacer
from foretrace.trace.types import Event, Frame, Header, Outcome, Trace

START_MARKER = "  # << START_OF_TRACE"
UNCHANGED = ".."


class Token(StrEnum):
    """The special tokens, by their text."""

    BEGIN_OF_TEXT = "<|begin_of_text|>"
    END_OF_TEXT = "<|end_of_text|>"
    FRAME_SEP = "<|frame_sep|>"
    ACTION_SEP = "<|action_sep|>"
    RETURN_SEP = "<|return_sep|>"
    CALL_SEP = "<|call_sep|>"
    LINE_SEP = "<|line_sep|>"
    EXCEPTION_SEP = "<|exception_sep|>"
    ARG_SEP = "<|arg_sep|>"
    TRACE_CONTEXT_START = "<|trace_context_start|>"


Segment = Token | str

EVENT_TOKENS = {
    Event.CALL: Token.CALL_SEP,
    Event.LINE: Token.LINE_SEP,
    Event.RETURN: Token.RETURN_SEP,
    Event.EXCEPTION: Token.EXCEPTION_SEP,
}
_EVENT_OF = {token: event for event, token in EVENT_TOKENS.items()}
_NAMES = "|".join(re.escape(token.value[2:-2]) for token in Token)
_LITERAL = re.compile(rf"<(\\*)\|({_NAMES})\|>")
_ESCAPED = re.compile(rf"<\\(\\*)\|({_NAMES})\|>")
_SPECIAL = re.compile(rf"(<\|(?:{_NAMES})\|>)")
_MARKED = re.compile(re.escape(START_MARKER) + r"\\*$")
_DOTS = re.compile(r"\.{2,}")
_SURROGATE = re.compile("[\ud800-\udfff]")


# ---------------------------------------------------------------------------------------------------
# Writing


def context_with_marker(source: str, entry_line: int) -> str:
    """`source` with the start marker at the end of line `entry_line` (1-based).

    Another line that ends with the marker already gets a backslash there, and one that has backslashes one more.
    """
    lines = source.split("\n")
    if not 0 < entry_line <= len(lines):
        raise FormatError(f"the entry function is said to start at line {entry_line}, the source has {len(lines)} lines")
    lines = [line + "\\" if _MARKED.search(line) and i != entry_line else line for i, line in enumerate(lines, 1)]
    lines[entry_line - 1] += START_MARKER
    return "\n".join(lines)


def prompt_segments(source: str, entry_line: int) -> list[Segment]:
    """What a model is given before the first frame."""
    context = context_with_marker(source, entry_line)
    return [Token.BEGIN_OF_TEXT, Token.TRACE_CONTEXT_START, context, Token.FRAME_SEP]


class FrameSegmenter:
    """Writes frames one by one, as segments.

    A local whose text equals that of the previous frame of the same scope is written `".."`. After control
    came back to a scope, its first frame with locals shows them all.
    """

    def __init__(self) -> None:
        self._scopes: list[dict[str, str] | None] = []

    def segments(self, frame: Frame) -> list[Segment]:
        """The segments of the next frame.

        Raises:
            FormatError: it stands outside any call.

        """
        token, code = EVENT_TOKENS[frame.event], frame.source + "\n"
        if frame.event in (Event.CALL, Event.LINE):
            if frame.event is Event.CALL:
                self._scopes.append(None)
            elif not self._scopes:
                raise FormatError("a line frame stands outside any call; the first frame of a trace must be a call")
            state = _dotted(frame.state)
            shown = _diff(state, self._scopes[-1])
            self._scopes[-1] = state
            return [token, _dump(shown), Token.ACTION_SEP, code, Token.FRAME_SEP]
        if frame.event is Event.RETURN or frame.unwind:
            if self._scopes:
                self._scopes.pop()
            if self._scopes:
                self._scopes[-1] = None
        return [token, Token.ACTION_SEP, code, Token.ARG_SEP, _dump(frame.value or ""), Token.FRAME_SEP]


def frame_segments(frames: Iterable[Frame]) -> Iterator[list[Segment]]:
    """The segments of each frame in turn."""
    return map(FrameSegmenter().segments, frames)


class WireWriter:
    """Writes wire documents, one after the other, as their frames become known."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self.write = write
        self._segmenter: FrameSegmenter | None = None

    def begin(self) -> None:
        """Starts a document."""
        self._segmenter = None

    def forget(self, key: int) -> None:
        """Does nothing: a scope that is resumed shows all locals."""

    def frame(self, frame: Frame, path: str, lines: list[str], key: int = 0) -> None:
        """Writes a frame; the first one's file is the context."""
        segments: list[Segment] = []
        if self._segmenter is None:
            self._segmenter = FrameSegmenter()
            segments = prompt_segments("\n".join(lines), min(frame.line, max(len(lines), 1)))
        segments += self._segmenter.segments(frame)
        self.write(to_text(segments).encode())

    def end(self, outcome: Outcome, detail: str = "", threads: int = 0) -> None:
        """Ends the document."""
        if outcome is not Outcome.TRUNCATED and self._segmenter is not None:
            self.write(Token.END_OF_TEXT.encode())


def to_segments(trace: Trace, entry_line: int | None = None) -> list[Segment]:
    """The whole wire document of `trace`.

    Raises:
        FormatError: the trace has no frames, or its first frame is not a call.

    """
    if not trace.frames or trace.frames[0].event is not Event.CALL:
        raise FormatError("cannot write a trace without a first call frame")
    last_line = trace.header.source.count("\n") + 1  # the source may be another than what ran
    segments = prompt_segments(trace.header.source, entry_line or min(trace.frames[0].line, last_line))
    for frame in frame_segments(trace.frames):
        segments += frame
    if trace.header.outcome is not Outcome.TRUNCATED:
        segments.append(Token.END_OF_TEXT)
    return segments


def to_text(segments: Iterable[Segment]) -> str:
    """Segments as one string, literals of special tokens in user text protected by a backslash."""
    return "".join(s.value if isinstance(s, Token) else _LITERAL.sub(r"<\\\1|\2|>", s) for s in segments)


def _diff(state: dict[str, str], previous: dict[str, str] | None) -> dict[str, str]:
    if previous is None:
        return state
    return {name: UNCHANGED if previous.get(name) == text else text for name, text in state.items()}


def _dotted(state: dict[str, str]) -> dict[str, str]:
    """A text of two or more dots, which only a user's own `__repr__` makes, gets one more: it is not `".."`."""
    return {name: text + "." if _DOTS.fullmatch(text) else text for name, text in state.items()}


def _dump(value: object) -> str:
    """JSON, in UTF-8 but for lone surrogates, which UTF-8 lacks: they are escaped."""
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):x}", json.dumps(value, ensure_ascii=False))


# ---------------------------------------------------------------------------------------------------
# Reading


def from_text(text: str) -> list[Segment]:
    """The inverse of `to_text`."""
    pieces: list[Segment] = []
    for i, piece in enumerate(_SPECIAL.split(text)):
        if i % 2:
            pieces.append(Token(piece))
        elif piece:
            pieces.append(_ESCAPED.sub(r"<\1|\2|>", piece))
    return pieces


def from_segments(segments: Sequence[Segment], header: Header | None = None) -> Trace:
    """Parses a wire document. `header`, if given, supplies what the wire cannot say.

    Raises:
        FormatError: the segments are not a wire document; the message says which frame is at fault.

    """
    head = segments[:4]
    if len(head) < 4 or head[0] is not Token.BEGIN_OF_TEXT or head[1] is not Token.TRACE_CONTEXT_START:
        raise FormatError("a trace starts with <|begin_of_text|><|trace_context_start|>CONTEXT<|frame_sep|>")
    if isinstance(head[2], Token) or head[3] is not Token.FRAME_SEP:
        raise FormatError("the context of the trace is missing or is not ended by <|frame_sep|>")
    source, entry_line = split_context(head[2])
    if header is None:
        header = Header(source=source, entry="")
    parser = FrameParser(source, entry_line, header.python)
    ended = False
    rest = list(segments[4:])
    if rest and rest[-1] is Token.END_OF_TEXT:
        ended = True
        rest.pop()
    frame: list[Segment] = []
    for segment in rest:
        frame.append(segment)
        if segment is Token.FRAME_SEP:
            parser.feed(frame)
            frame = []
    if frame:
        raise FormatError(f"frame {len(parser.frames)} is cut off: it is not ended by <|frame_sep|>")
    frames = parser.finish(ended)
    if not frames:
        raise FormatError("the trace has no frames")
    outcome, detail = Outcome.TRUNCATED, header.detail
    if ended and parser.depth == 0:
        outcome = Outcome.RETURNED
    elif ended and parser.depth == 1 and frames[-1].event is Event.EXCEPTION:
        outcome = Outcome.RAISED
    elif ended:
        detail = "format: the text ends before the entry function is left"
    entry = header.entry or frames[0].function
    return Trace(replace(header, source=source, entry=entry, outcome=outcome, detail=detail), frames)


def split_context(context: str) -> tuple[str, int]:
    """Removes the start marker; returns the source and the marked line (1-based).

    Raises:
        FormatError: no line ends with the marker.

    """
    lines = context.split("\n")
    marked = next((i for i, line in enumerate(lines) if line.endswith(START_MARKER)), None)
    if marked is None:
        raise FormatError(f"no line of the context ends with the start marker {START_MARKER.strip()!r}")
    entry = lines[marked].removesuffix(START_MARKER)
    lines = [line[:-1] if _MARKED.search(line) and line.endswith("\\") else line for line in lines]
    lines[marked] = entry
    return "\n".join(lines), marked + 1


def _undotted(text: str) -> str:
    """The inverse of `_dotted`, for one text."""
    return text[:-1] if _DOTS.fullmatch(text) and text != UNCHANGED else text


class FrameParser:
    """Turns segments into frames one by one; resolves `".."` and places lines by control flow.

    The wire does not say whether an exception left its scope. It did unless the next frame is a line of a handler:
    interpreters write a line frame before anything else happens in one.
    """

    def __init__(self, source: str, entry_line: int, python: str = "") -> None:
        """`python`: version that the frames come from, if known."""
        self.frames: list[Frame] = []
        self._placer = LinePlacer(source, entry_line, python)
        self._lines = frozenset(source.split("\n"))
        self._scopes: list[dict[str, str] | None] = []

    def feed(self, segments: Sequence[Segment]) -> Frame:
        """Parses one frame, its `<|frame_sep|>` included.

        Raises:
            FormatError: the segments are not a frame.

        """
        event, locals_text, source, value_text = self._shape(segments)
        if self._raised and self._went_on(event, source):
            self._unwind()
        starts = event is Event.CALL and (not self.frames or self._placer.suspended)
        if not self._scopes and not starts:
            where = "after the entry function was left" if self.frames else "before the first call"
            raise self._error(f"a {event} frame stands {where}")
        if event is Event.CALL:
            self._scopes.append(None)
        depth = len(self._scopes) - 1
        state = None if locals_text is None else self._resolve(locals_text)
        line, function = self._placer.place(event, source, state)
        value = None if value_text is None else self._value(value_text)
        frame = Frame(event, function, depth, line, source, locals=state, value=value)
        self.frames.append(frame)
        if event is Event.RETURN:
            self._leave()
        return frame

    def finish(self, ended: bool = True) -> tuple[Frame, ...]:
        """All frames; if the trace has ended, a last exception is marked as having left its scope."""
        if ended and self._raised:
            self.frames[-1] = replace(self.frames[-1], unwind=True)
        return tuple(self.frames)

    @property
    def depth(self) -> int:
        """How many scopes are open; 0 once the entry function returned."""
        return len(self._scopes)

    @property
    def _raised(self) -> bool:
        """Whether the last frame is an exception, which may or may not have left its scope."""
        return bool(self.frames) and self.frames[-1].event is Event.EXCEPTION

    @property
    def may_end(self) -> bool:
        """Whether the trace may be complete here."""
        return bool(self.frames) and (self.depth == 0 or (self.depth == 1 and self._raised))

    @property
    def may_go_on(self) -> bool:
        """Whether a frame may follow."""
        return self.depth > 0 or self._placer.suspended

    def following(self, event: Event) -> frozenset[str]:
        """The source lines that a next frame of this event can show, as far as control flow tells; may hold too many."""
        return self._placer.following(event, self._raised) if self._scopes else frozenset()

    def _went_on(self, event: Event, source: str) -> bool:
        """Whether the last frame's exception left its scope, seen from the frame that follows."""
        if event is Event.LINE:
            return not self._placer.catches(source)
        return event is Event.EXCEPTION or self.depth > 1

    def _unwind(self) -> None:
        self.frames[-1] = replace(self.frames[-1], unwind=True)
        self._leave()

    def _leave(self) -> None:
        self._scopes.pop()
        self._placer.leave()
        if self._scopes:
            self._scopes[-1] = None

    def _error(self, what: str) -> FormatError:
        return FormatError(f"frame {len(self.frames)}: {what}")

    def _shape(self, segments: Sequence[Segment]) -> tuple[Event, str | None, str, str | None]:
        """Splits a frame into event, locals text, source line and value text."""
        event = _EVENT_OF.get(segments[0]) if segments and isinstance(segments[0], Token) else None
        texts = [s for s in segments if not isinstance(s, Token)]
        tokens = [s for s in segments[1:] if isinstance(s, Token)]
        if event is None:
            raise self._error("does not start with an event token")
        if event in (Event.CALL, Event.LINE):
            wanted: list[Token] = [Token.ACTION_SEP, Token.FRAME_SEP]
            shape = len(segments) == 5 and segments[2] is Token.ACTION_SEP
        else:
            wanted = [Token.ACTION_SEP, Token.ARG_SEP, Token.FRAME_SEP]
            shape = len(segments) == 6 and segments[1] is Token.ACTION_SEP and segments[3] is Token.ARG_SEP
        if tokens != wanted or len(texts) != 2 or not shape:
            raise self._error(f"a {event} frame must hold two texts and end with {' '.join(wanted)}")
        if event in (Event.CALL, Event.LINE):
            return event, texts[0], self._source(texts[1]), None
        return event, None, self._source(texts[0]), texts[1]

    def _source(self, text: str) -> str:
        if not text.endswith("\n"):
            raise self._error("the source line does not end with a newline")
        line = text[:-1]
        return line if line in self._lines else line.removesuffix(START_MARKER)

    def _resolve(self, text: str) -> dict[str, str]:
        """The full state of a frame. `..` stands for the value in the previous frame of the same scope."""
        try:
            shown: dict[str, str] = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._error(f"the locals are not JSON: {error}") from error
        if not isinstance(shown, dict) or not all(isinstance(v, str) for v in shown.values()):
            raise self._error("the locals are not a JSON object of strings")
        previous = self._scopes[-1]
        base = previous if previous is not None else {}
        state = {name: base.get(name, now) if now == UNCHANGED else _undotted(now) for name, now in shown.items()}
        self._scopes[-1] = state
        return state

    def _value(self, text: str) -> str:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._error(f"the value is not JSON: {error}") from error
        if not isinstance(value, str):
            raise self._error("the value is not a JSON string")
        return value
