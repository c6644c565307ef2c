r"""Texts by an engine of ours: completions of a prompt, or turns in a chat, many decoded together.

    [answer] = answer_texts(engine, [Question(text="2 + 2 = ", stop=("\n",))], Sampling(max_tokens=8))

They are written piece by piece, so that a model that goes on after its answer costs little more than one that stops.
"""

import time
from collections.abc import Sequence

from foretrace.data.chat import Message, chat_prompt
from foretrace.data.special import ChatToken
from foretrace.data.tokenizer import Tokenizer
from foretrace.engine import Engine, Generation
from foretrace.errors import FormatError, UsageError
from foretrace.evals.types import Answer, Question, Sampling
from foretrace.forager.format import THINK, UNTHINK
from foretrace.trace import Segment, Token

_FIRST_PIECE = 128
"""Tokens after which it is first looked whether a text has come to its end; twice as many each time."""
_SPELT: dict[Segment, str] = {
    Token.END_OF_TEXT: "",
    ChatToken.END_OF_TURN: "",
    ChatToken.THINKING_START: THINK,
    ChatToken.THINKING_END: UNTHINK,
}
"""Special tokens in a text, where it is not by their names."""


def answer_texts(engine: Engine, questions: Sequence[Question], sampling: Sampling) -> list[Answer]:
    """What a model says to each.

    Raises:
        UsageError: a question has no text, or the model has no chat.

    """
    began = time.perf_counter()
    texts = [_Writing(engine, question, sampling.max_tokens) for question in questions]
    piece = _FIRST_PIECE
    while pending := [text for text in texts if not text.finish]:
        made = engine.generate(
            [[*text.prompt, *text.written] for text in pending],
            max_tokens=min(piece, sampling.max_tokens - len(pending[0].written)),  # all have written as many
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=sampling.seed + piece,
            stop=[i for token, i in engine.tokenizer.specials.items() if _SPELT.get(token) == ""],
        )
        for text, generation in zip(pending, made, strict=True):
            text.take(generation)
        piece *= 2
    seconds = (time.perf_counter() - began) / len(questions)
    return [text.answer(seconds) for text in texts]


class _Writing:
    """One text that is being written."""

    def __init__(self, engine: Engine, question: Question, most: int) -> None:
        self._tokenizer, self._most = engine.tokenizer, most
        self._stops = question.stop if question.text else ()
        self.written: list[int] = []
        self.finish = ""
        """Why it ended; empty until then."""
        try:
            self.prompt = engine.tokenizer.encode(_segments(question))
        except FormatError:
            self.prompt, self.finish = [], "context"  # its tokenizer cannot write the question
        if len(self.prompt) >= engine.context_length:
            self.finish = "context"

    def take(self, generation: Generation) -> None:
        """Takes the next piece."""
        self.written += generation.tokens
        if generation.finish != "length" or len(self.written) >= self._most:
            self.finish = generation.finish
        if any(stop in self.text for stop in self._stops):
            self.finish = "stop"

    @property
    def text(self) -> str:
        """So far, with what stands after a stop text."""
        return _text(self._tokenizer, self.written)

    def answer(self, seconds: float) -> Answer:
        """The text before the first stop text."""
        text = self.text
        end = min((at for stop in self._stops if (at := text.find(stop)) >= 0), default=len(text))
        return Answer(
            text=text[:end],
            is_truncated=self.finish != "stop",
            seconds=seconds,
            prompt_tokens=len(self.prompt),
            tokens=len(self.written),
        )


def _segments(question: Question) -> list[Segment]:
    if question.text:
        return [Token.BEGIN_OF_TEXT, question.text]
    if question.chat:
        return list(chat_prompt([Message("user", question.chat)]))
    raise UsageError("an engine cannot be asked this: the question asks neither for a trace nor for a text")


def _text(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    parts = tokenizer.decode(ids)
    return "".join(_SPELT.get(part, part.value) if isinstance(part, Token | ChatToken) else part for part in parts)
