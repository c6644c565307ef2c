"""What a trace of a known program can look like: lines that exist, in an order that control flow allows, well-formed frames.

A model may misspell a line or run one that cannot come next; decoding under the grammar cannot. The text of values is the
model's own: it is not constrained.

    grammar = FrameGrammar(engine.tokenizer, prompt)
    grammar.allowed()        # (vocab_size,) bool: what may be the next token
    grammar.forced()         # what must come next: a source line of which there is only one
    grammar.advance(token)
"""

from collections.abc import Collection, Sequence
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.follower import EVENTS, HAS_VALUE, FrameFollower
from foretrace.engine.types import Prompt
from foretrace.trace import EVENT_TOKENS, Token


class FrameGrammar:
    """Follows one generated trace token by token."""

    def __init__(self, tokenizer: Tokenizer, prompt: Prompt, python: str = "") -> None:
        """`python`: version whose executions the model has learnt, such as `3.12.1`; see `LinePlacer`."""
        self._tokenizer = tokenizer
        self._follower = FrameFollower(tokenizer, prompt, python)
        self._lines: list[list[int]] = []
        """What may be written where a source line stands, and the special token after it."""
        self._all = np.ones(tokenizer.vocab_size, dtype=bool)
        self._texts = {end: self._text(end) for end in (Token.ACTION_SEP, Token.FRAME_SEP)}

    def allowed(self) -> NDArray[np.bool_]:
        """(vocab_size,): whether each token may come next. Everything may, once the text has left the grammar."""
        if self._follower.lost:
            return self._all
        if (few := self._choices()) is not None:
            mask = np.zeros_like(self._all)
            mask[list(few)] = True
            return mask
        return self._texts[Token.FRAME_SEP if self._follower.since is Token.ARG_SEP else Token.ACTION_SEP]

    def forced(self) -> Sequence[int]:
        """The tokens that must come next, in order, for as long as there is only one that may."""
        if self._follower.lost:
            return ()
        if self._follower.since is Token.ACTION_SEP:
            return [tokens[0] for tokens in takewhile(lambda tokens: len(set(tokens)) == 1, zip(*self._lines, strict=False))]
        few = self._choices()
        return list(few) if few is not None and len(few) == 1 else ()

    def advance(self, token: int) -> None:
        """Takes the token that was chosen."""
        self._follower.advance(token)
        if self._follower.since is Token.ACTION_SEP and not self._follower.lost:
            is_text = bool(self._follower.text)
            self._lines = [x[1:] for x in self._lines if x[0] == token] if is_text else self._source_lines()

    def _choices(self) -> Collection[int] | None:
        """The tokens that may come next where they can be counted; None within a text of the model's own."""
        ids, since = self._follower.ids, self._follower.since
        if since is Token.FRAME_SEP:
            return {ids[token] for token in self._starts()}
        if since in HAS_VALUE:
            return {ids[Token.ACTION_SEP]}
        if since is Token.ACTION_SEP:
            return {line[0] for line in self._lines}
        return None

    def _starts(self) -> list[Token]:
        """The tokens that may follow a frame."""
        parser = self._follower.parser
        if parser.may_end and not parser.may_go_on:
            return [Token.END_OF_TEXT]
        found = [token for token, event in EVENTS.items() if parser.following(event)]
        return [*found, Token.END_OF_TEXT] if parser.may_end or not found else found

    def _source_lines(self) -> list[list[int]]:
        event = self._follower.event
        if event is None:
            return []
        end = self._follower.ids[Token.ARG_SEP if EVENT_TOKENS[event] in HAS_VALUE else Token.FRAME_SEP]
        lines = sorted(self._follower.parser.following(event))
        return [[*self._tokenizer.encode([Token.ACTION_SEP, line + "\n"])[1:], end] for line in lines]

    def _text(self, end: Token) -> NDArray[np.bool_]:
        mask = self._all.copy()
        mask[list(self._tokenizer.specials.values())] = False
        mask[self._follower.ids[end]] = True
        return mask
