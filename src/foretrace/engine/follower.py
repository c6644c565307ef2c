"""Where in a trace a generated text is: followed token by token, for a grammar to constrain and a drafter to foresee.

follower = FrameFollower(tokenizer, prompt)
follower.advance(token)
follower.since, follower.text      # the last special token, and the tokens after it
"""

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.types import Prompt
from foretrace.errors import FormatError
from foretrace.trace import EVENT_TOKENS, Event, Frame, FrameParser, Token, frame_segments

EVENTS = {token: event for event, token in EVENT_TOKENS.items()}
HAS_VALUE = (Token.RETURN_SEP, Token.EXCEPTION_SEP)
"""Events whose frames have no locals, but a value after the source line."""


class FrameFollower:
    """Reads frames as they are written."""

    def __init__(self, tokenizer: Tokenizer, prompt: Prompt, python: str = "") -> None:
        """`python`: version whose executions the model has learnt, such as `3.12.1`; see `LinePlacer`."""
        self.ids = {token: tokenizer.id_of(token) for token in Token}
        self.parser = FrameParser(prompt.call.source, prompt.call.line, python)
        """Has the frames that are complete."""
        self.since: Token = Token.FRAME_SEP
        """The last special token."""
        self.written: list[int] = []
        """The tokens of the frame that is being written."""
        self.lost = False
        """Whether what was written is no trace: from there on nothing is known."""
        self._tokenizer = tokenizer
        self._special = {id: token for token, id in self.ids.items()}
        self._start = 0
        for frame in frame_segments(prompt.frames):
            self.parser.feed(frame)

    @property
    def event(self) -> Event | None:
        """The event of the frame that is being written, once it is known."""
        first = self._special.get(self.written[0]) if self.written else None
        return EVENTS.get(first) if first else None

    @property
    def text(self) -> list[int]:
        """The tokens since the last special one."""
        return self.written[self._start :]

    def advance(self, token: int) -> Frame | None:
        """Takes the next token; the frame that it completes, if it does."""
        if self.lost:
            return None
        self.written.append(token)
        special = self._special.get(token)
        if special is None:
            return None
        self.since, self._start = special, len(self.written)
        return self._finished() if special is Token.FRAME_SEP else None

    def _finished(self) -> Frame | None:
        segments = self._tokenizer.decode(self.written)
        self.written, self._start = [], 0
        try:
            return self.parser.feed(segments)
        except FormatError:
            self.lost = True
            return None
