"""What a trace of a known program can look like: lines that exist, in an order that control flow allows, well-formed frames.

A model may misspell a line or run one that cannot come next; decoding under the grammar cannot. The text of values is the
model's own: it is not constrained.

    grammar = FrameGrammar(engine.tokenizer, prompt)
    grammar.allowed()        # (vocab_size,) bool: what may be the next token
    grammar.advance(token)
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.types import Prompt
from foretrace.errors import FormatError
from foretrace.trace import EVENT_TOKENS, FrameParser, Token, frame_segments

_HAS_VALUE = (Token.RETURN_SEP, Token.EXCEPTION_SEP)
_EVENTS = {token: event for event, token in EVENT_TOKENS.items()}


class FrameGrammar:
    """Follows one generated trace token by token."""

    def __init__(self, tokenizer: Tokenizer, prompt: Prompt, python: str = "") -> None:
        """`python`: version whose executions the model has learnt, such as `3.12.1`; see `LinePlacer`."""
        self._tokenizer = tokenizer
        self._id = {token: tokenizer.id_of(token) for token in Token}
        self._special = {id: token for token, id in self._id.items()}
        self._parser = FrameParser(prompt.call.source, prompt.call.line, python)
        for frame in frame_segments(prompt.frames):
            self._parser.feed(frame)
        self._frame: list[int] = []
        """The tokens of the frame that is being written."""
        self._since: Token = Token.FRAME_SEP
        """The last special token."""
        self._lines: list[list[int]] = []
        """What may be written where a source line stands, and the special token after it."""
        self._off = False

    def allowed(self) -> NDArray[np.bool_]:
        """(vocab_size,): whether each token may come next. Everything may, once the text has left the grammar."""
        if self._off:
            return np.ones(self._tokenizer.vocab_size, dtype=bool)
        if self._since is Token.FRAME_SEP:
            return self._only(self._id[token] for token in self._starts())
        if self._since in _HAS_VALUE:
            return self._only([self._id[Token.ACTION_SEP]])
        if self._since is Token.ACTION_SEP:
            return self._only(line[0] for line in self._lines)
        return self._text(end=Token.FRAME_SEP if self._since is Token.ARG_SEP else Token.ACTION_SEP)

    def advance(self, token: int) -> None:
        """Takes the token that was chosen."""
        self._frame.append(token)
        special = self._special.get(token)
        if special is None:
            self._lines = [line[1:] for line in self._lines if line[0] == token]
            return
        self._since = special
        if special is Token.ACTION_SEP:
            self._lines = self._source_lines(self._special[self._frame[0]])
        elif special is Token.FRAME_SEP:
            self._finish_frame()

    def _starts(self) -> list[Token]:
        """The tokens that may follow a frame."""
        if self._parser.may_end and not self._parser.may_go_on:
            return [Token.END_OF_TEXT]
        found = [token for token, event in _EVENTS.items() if self._parser.following(event)]
        return [*found, Token.END_OF_TEXT] if self._parser.may_end or not found else found

    def _source_lines(self, event: Token) -> list[list[int]]:
        end = self._id[Token.ARG_SEP if event in _HAS_VALUE else Token.FRAME_SEP]
        lines = sorted(self._parser.following(_EVENTS[event]))
        return [[*self._tokenizer.encode([Token.ACTION_SEP, line + "\n"])[1:], end] for line in lines]

    def _finish_frame(self) -> None:
        try:
            self._parser.feed(self._tokenizer.decode(self._frame))
        except FormatError:
            self._off = True  # the text of a value is no JSON: the trace ends there anyway
        self._frame = []

    def _only(self, ids: Iterable[int]) -> NDArray[np.bool_]:
        mask = np.zeros(self._tokenizer.vocab_size, dtype=bool)
        mask[list(ids)] = True
        return mask

    def _text(self, end: Token) -> NDArray[np.bool_]:
        mask = np.ones(self._tokenizer.vocab_size, dtype=bool)
        mask[list(self._tokenizer.specials.values())] = False
        mask[self._id[end]] = True
        return mask
