"""From training material to documents: tokens, and what each of them is.

    render(tokenizer, trace, max_tokens=2048)                # a trace; None if it has more
    render_text(tokenizer, text, max_tokens=8192)            # plain text or code, cut into pieces of that size
    render_chat(tokenizer, messages, max_tokens=32768)       # as many whole turns as fit
    render_narration(tokenizer, source, narration, 4096)     # a program and its execution in words

Traces are given as such or as wire segments (`trace.from_text(binary_to_wire(data).decode())`, which makes no frames:
the faster way from a dataset). A document starts with `<|begin_of_text|>`, and its first token is never predicted.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from foretrace.data.chat import Message, Part, Thinking, chat_parts
from foretrace.data.kinds import Kind
from foretrace.data.shards import Document
from foretrace.data.special import ChatToken
from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import FormatError
from foretrace.trace import Segment, Token, Trace, to_segments

_TEXT_AFTER = {
    Token.TRACE_CONTEXT_START: Kind.TEXT,
    Token.CALL_SEP: Kind.LOCALS,
    Token.LINE_SEP: Kind.LOCALS,
    Token.ACTION_SEP: Kind.SOURCE,
    Token.ARG_SEP: Kind.VALUE,
}
"""What the text after a special token of a trace is."""


def render(
    tokenizer: Tokenizer, trace: Trace | Sequence[Segment], max_tokens: int | None = None, *, context: bool = False
) -> Document | None:
    """A whole trace, or None if it has more than `max_tokens`.

    The prompt is the context and the first call frame: an engine knows the arguments and gives them.

    Args:
        tokenizer: gives the ids.
        trace: a trace, or its wire segments.
        max_tokens: the most that are wanted.
        context: the prompt is learnt, too, as in pre-training: a model then also writes code, and calls it.

    Raises:
        FormatError: it is no trace with a first call frame, or has a text that the tokenizer cannot write.

    """
    segments = to_segments(trace) if isinstance(trace, Trace) else trace
    return document(tokenizer, trace_parts(segments, context=context), max_tokens)


def trace_parts(segments: Sequence[Segment], *, context: bool = False) -> list[Part]:
    """The wire segments of a trace, each with its kind.

    Raises:
        FormatError: it has no first call frame.

    """
    kinds: list[Kind] = []
    text = Kind.TEXT
    for segment in segments:
        if isinstance(segment, Token):
            kinds.append(Kind.EVENT)
            text = _TEXT_AFTER.get(segment, text)
        else:
            kinds.append(text)
    try:
        end = segments.index(Token.FRAME_SEP, segments.index(Token.CALL_SEP)) + 1
    except ValueError:
        raise FormatError("a trace starts with a call frame; this one has none") from None
    prompt = 1 if context else end
    kinds[:prompt] = [Kind.PROMPT] * prompt
    return list(zip(segments, kinds, strict=True))


def render_text(tokenizer: Tokenizer, text: str, max_tokens: int | None = None) -> list[Document]:
    """Plain text; if it has more than `max_tokens`, in pieces of so many and a last one that may be shorter.

    Only the first piece begins, and only the last one ends. The first token of each is given: nothing is before it.

    Raises:
        FormatError: it is a text that the tokenizer cannot write.

    """
    tokens = _array(tokenizer, tokenizer.encode([Token.BEGIN_OF_TEXT, text, Token.END_OF_TEXT]))
    pieces = []
    max_tokens = max_tokens or len(tokens)
    for start in range(0, len(tokens) - 1, max_tokens):  # a last token alone would be predicted from nothing
        kinds = np.full(len(tokens[start : start + max_tokens]), Kind.TEXT, np.uint8)
        kinds[0] = Kind.PROMPT
        pieces.append(Document(tokens[start : start + max_tokens], kinds))
    return pieces


def render_narration(
    tokenizer: Tokenizer, source: str, narration: str, max_tokens: int | None = None, *, context: bool = False
) -> Document | None:
    """A program in a Markdown fence, then its execution in words; or None if that has more than `max_tokens`.

    Raises:
        FormatError: it is a text that the tokenizer cannot write.

    """
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`{3,}", source))])
    kind = Kind.TEXT if context else Kind.PROMPT
    parts: list[Part] = [
        (Token.BEGIN_OF_TEXT, Kind.PROMPT),
        (f"{fence}python\n{source.rstrip()}\n{fence}\n\n", kind),
        (narration, Kind.TEXT),
        (Token.END_OF_TEXT, Kind.TEXT),
    ]
    return document(tokenizer, parts, max_tokens)


def render_chat(
    tokenizer: Tokenizer,
    messages: Iterable[Message],
    max_tokens: int | None = None,
    *,
    thinking: Thinking = "token",
    observations: bool = True,
) -> Document | None:
    """A chat as far as its whole messages fit into `max_tokens`; None if then nothing of it is to be predicted.

    Args:
        tokenizer: gives the ids.
        messages: in their order.
        max_tokens: the most that are wanted.
        thinking: how thoughts are marked.
        observations: what tools answer is learnt, as by a model of the world.

    Raises:
        FormatError: a message that cannot be written.
        UsageError: the tokenizer has no special tokens for chats.

    """
    whole = document(tokenizer, chat_parts(messages, thinking=thinking, observations=observations))
    assert whole is not None
    if max_tokens is not None and len(whole) > max_tokens:
        ends = np.flatnonzero(whole.tokens[:max_tokens] == tokenizer.id_of(ChatToken.END_OF_TURN))
        length = int(ends[-1]) + 1 if len(ends) else 0
        whole = Document(whole.tokens[:length], whole.kinds[:length])
    return whole if np.any(whole.kinds != Kind.PROMPT) else None


def document(tokenizer: Tokenizer, parts: Sequence[Part], max_tokens: int | None = None) -> Document | None:
    """The tokens of some segments, each of the kind of its segment; None if there are more than `max_tokens`.

    Raises:
        FormatError: it is a text that the tokenizer cannot write.
        UsageError: the tokenizer lacks a special token.

    """
    tokens: list[int] = []
    lengths = []
    for ids in tokenizer.encode_each(segment for segment, _ in parts):
        tokens += ids
        lengths.append(len(ids))
        if max_tokens is not None and len(tokens) > max_tokens:
            return None
    kinds = np.array([kind for _, kind in parts], np.uint8)
    return Document(_array(tokenizer, tokens), kinds.repeat(lengths))


def _array(tokenizer: Tokenizer, tokens: list[int]) -> NDArray[np.uint16] | NDArray[np.uint32]:
    return np.array(tokens, np.uint16) if tokenizer.vocab_size <= 1 << 16 else np.array(tokens, np.uint32)
