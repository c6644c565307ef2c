"""The special tokens of chats and of training, beside those of traces (`trace.Token`), and how each is written.

A special token is an id of its own that no text can spell: tokenizers give it for a member of these enumerations
only, and encode the same characters in a text as text. Names are those of Meta's tokenizer (PROMPTING_GUIDE.md of
the CWM release).

    SPECIALS[0] is Token.BEGIN_OF_TEXT
    is_special(ChatToken.END_OF_TURN), is_special("<|eot_id|>")     # True, False
"""

from enum import StrEnum
from typing import TypeGuard

from foretrace.trace import Segment, Token


class ChatToken(StrEnum):
    """Special tokens of a chat, by their text."""

    START_HEADER = "<|start_header_id|>"
    END_HEADER = "<|end_header_id|>"
    END_OF_TURN = "<|eot_id|>"
    THINKING_START = "<|reasoning_thinking_start|>"
    THINKING_END = "<|reasoning_thinking_end|>"


class PredictorToken(StrEnum):
    """LLM-JEPA's `[PRED]` tokens (arXiv:2509.14252), by their text: in views that training makes, never in data."""

    FIRST = "<|predictor_1|>"
    SECOND = "<|predictor_2|>"
    THIRD = "<|predictor_3|>"
    FOURTH = "<|predictor_4|>"


Special = Token | ChatToken | PredictorToken

SPECIALS: tuple[Special, ...] = (*Token, *ChatToken, *PredictorToken)
"""Every special token, those of traces first. A new one goes to the end: a tokenizer's file lists those that it has."""


_TYPES = (Token, ChatToken, PredictorToken)


def is_special(segment: Segment) -> TypeGuard[Special]:
    """Whether a segment is a special token. A text that reads like one is not."""
    return isinstance(segment, _TYPES)
