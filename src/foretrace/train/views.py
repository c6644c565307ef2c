"""Views of an execution: pairs of stretches of a trace's tokens that tell of the same thing in two ways.

They are cut at special tokens, out of documents as they are: nothing is decoded and written anew, so a view has exactly
the tokens that a model sees elsewhere. `docs/trace-format.md`, section 3, describes the frames.

    call-result    code and arguments                     <->  what the call returned or raised
    next-state     a state, and the line that is next     <->  the state after that line

    pairs = CUTS["call-result"](tokens, tokenizer)
    tokens[pairs[0].given], tokens[pairs[0].wanted]

Documents that are no traces, and pairs that say nothing, give no views.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretrace.data.tokenizer import Tokenizer
from foretrace.trace import Token

Ids = NDArray[np.int64]


class Pair(NamedTuple):
    """Two views, as stretches of one document's tokens."""

    given: slice
    """What determines the other view: `Text` in LLM-JEPA's terms."""
    wanted: slice
    """What follows from it: `Code` in LLM-JEPA's terms."""


Cut = Callable[[Ids, Tokenizer], list[Pair]]
"""From the tokens (N,) of a document to its pairs, in order."""


def call_result(tokens: Ids, tokenizer: Tokenizer) -> list[Pair]:
    """The prompt of a finished trace, and the value in its last frame: one pair.

    The value alone stands for the final state. The last locals would need the frames before them: whatever did not
    change is only marked as such there.
    """
    frames = _frames(tokens, tokenizer)
    if len(frames) < 3:
        return []
    around = tokens[[1, frames[1].start, -1]].tolist()
    if around != [tokenizer.id_of(t) for t in (Token.TRACE_CONTEXT_START, Token.CALL_SEP, Token.END_OF_TEXT)]:
        return []  # no trace, or a part of one
    last = frames[-1]
    found = np.flatnonzero(tokens[last] == tokenizer.id_of(Token.ARG_SEP))
    return [Pair(slice(0, frames[1].stop), slice(last.start + int(found[0]), last.stop))] if len(found) else []


def next_state(tokens: Ids, tokenizer: Tokenizer) -> list[Pair]:
    """Each line that ran to its end without a call into traced code: what was before, and the locals after it.

    What was before are the frames from the last one on that shows all locals, because those after it show what changed;
    they all belong to one scope. A line that makes a call is left out, for what it does is written elsewhere, and so is
    one that changes nothing. After an exception nothing is cut until the next call or return: the wire does not say
    whose locals follow.
    """
    call, line = tokenizer.id_of(Token.CALL_SEP), tokenizer.id_of(Token.LINE_SEP)
    left, raised = tokenizer.id_of(Token.RETURN_SEP), tokenizer.id_of(Token.EXCEPTION_SEP)
    pairs = []
    whole: int | None = None  # where the frame that shows all locals begins
    for frame in _frames(tokens, tokenizer):
        event = tokens[frame.start]
        if event == line and whole is not None and whole < frame.start:
            state = slice(frame.start, _end_of_locals(tokens, frame, tokenizer))
            if _changes(tokens[state], tokenizer):
                pairs.append(Pair(slice(whole, frame.start), state))
        elif event == call:
            whole = frame.start
        elif event == left:
            whole = frame.stop  # the caller's next frame shows all of its locals
        elif event == raised:
            whole = None
    return pairs


CUTS: dict[str, Cut] = {"call-result": call_result, "next-state": next_state}
"""Every way to cut views, by name."""


def _frames(tokens: Ids, tokenizer: Tokenizer) -> list[slice]:
    """Stretches that end with a frame separator; the first is the context."""
    ends = np.flatnonzero(tokens == tokenizer.id_of(Token.FRAME_SEP)) + 1
    return [slice(start, end) for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=bool(len(ends)))]


def _end_of_locals(tokens: Ids, frame: slice, tokenizer: Tokenizer) -> int:
    """Where the locals of a frame end, with the separator after them: the last token that knows them and no more."""
    found = np.flatnonzero(tokens[frame] == tokenizer.id_of(Token.ACTION_SEP))
    return int(frame.start + found[0] + 1) if len(found) else int(frame.stop)


def _changes(state: Ids, tokenizer: Tokenizer) -> bool:
    """Whether some local has another text than `".."`. Quotes within texts are escaped, those between are counted."""
    text = b"".join(tokenizer.spelling(i) for i in state.tolist())
    return text.count(b'": "') > text.count(b'": ".."')
