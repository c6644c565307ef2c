"""Talking with a policy in tokens: a prompt, its turns, what is answered. What it wrote is never tokenised again.

dialogue = Dialogue(tokenizer, think=True)
prompt = dialogue.opening([Message("user", "Write a program that …")])
said = dialogue.read(action)                           # Said(text="…", problem="")
more = dialogue.answer(Message("tool", "42", tool="python"))
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from foretrace.data.chat import Message, ToolCall, chat_prompt, message_parts, parse_turn
from foretrace.data.special import ChatToken
from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import FormatError
from foretrace.forager.format import UNTHINK
from foretrace.trace import Segment

_FENCE = re.compile(r"^```[^\n`]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Said:
    """A turn of a policy, read."""

    text: str = ""
    """Without its thought."""
    calls: tuple[ToolCall, ...] = ()
    problem: str = ""
    """Why it is no turn; empty if it is."""


def code_in(text: str) -> str | None:
    """The content of a text's fenced block; None unless there is exactly one, as CWM asks (report, section 5.3)."""
    blocks = _FENCE.findall(text)
    return blocks[0] if len(blocks) == 1 else None


class Dialogue:
    """The chat format of CWM (`data/chat.py`) for one tokenizer."""

    def __init__(self, tokenizer: Tokenizer, *, think: bool = False) -> None:
        """`think`: turns begin with a thought in clear text, `<think>` … `</think>`, and one that has none is wrong.

        Raises:
            UsageError: the tokenizer has no tokens for chats.

        """
        self._tokenizer, self._think = tokenizer, think
        self.stop = frozenset({tokenizer.id_of(ChatToken.END_OF_TURN)})

    def opening(self, messages: Iterable[Message]) -> tuple[int, ...]:
        """Tokens up to where the policy's first turn begins."""
        return self._encode(chat_prompt(messages, thinking="tag", think=self._think))

    def answer(self, message: Message) -> tuple[int, ...]:
        """Tokens of what is said to it, up to where its next turn begins."""
        parts = [segment for segment, _ in message_parts(message)]
        return self._encode([*parts, *chat_prompt([], thinking="tag", think=self._think)[1:]])

    def read(self, action: Sequence[int]) -> Said:
        """What a policy's tokens say."""
        segments = self._tokenizer.decode(list(action))
        try:
            turn = parse_turn(segments)
        except FormatError as error:
            return Said(problem=str(error))
        if not turn.ended:
            return Said(problem="the turn does not end")
        if self._think and not any(UNTHINK in segment for segment in segments if isinstance(segment, str)):
            return Said(problem=f"there is no {UNTHINK}")
        return Said(turn.content, turn.calls)

    def _encode(self, segments: Sequence[Segment]) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(list(segments)))
