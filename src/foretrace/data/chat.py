r"""Chats and agents' trajectories as CWM reads them (PROMPTING_GUIDE.md of its release), and a model's turn read back.

    messages = [Message("user", "What is in /tmp?"), Message("assistant", "I look.\n" + tool_call("bash", "ls /tmp")), …]
    document = render_chat(tokenizer, messages, max_tokens=8192)  # for training
    prompt = tokenizer.encode(chat_prompt(messages))              # for an engine
    parse_turn(tokenizer.decode(generated)).calls                 # (ToolCall("bash", "ls /tmp"),)

A message is `<|start_header_id|>ROLE<|end_header_id|>`, an empty line, its content and `<|eot_id|>`. A tool's answer has
the role `tool: NAME`; a call of one is text, `<tool: NAME>`, lines, `</tool>`. What an assistant thinks stands before
what it says, between two special tokens or, in clear text, in `<think>` and `</think>`.

What is learnt: what assistants say, and the end of their turns (`ACTION`); what tools answer (`OBSERVATION`: a model of
the world predicts it too; leave it out with `observations=False`). The token or tag that begins a thought is never
learnt: a model does not think unless it is made to (CWM report, section 5.1). A message may say for itself whether it is
(`Message.learnt`), as the turns of agents' trajectories do.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from foretrace.data.kinds import Kind
from foretrace.data.special import ChatToken, is_special
from foretrace.errors import FormatError
from foretrace.forager.format import THINK, UNTHINK
from foretrace.trace import Segment, Token

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = get_args(Role)
Thinking = Literal["token", "tag"]
"""How thoughts are marked: by special tokens, or in clear text."""
Part = tuple[Segment, Kind]

_CALL = re.compile(r"<tool: ([^>\n]+)>\n(.*?)\n</tool>", re.DOTALL)
"""As in `forager.format`, but tools of other agents have other names than CWM's."""
_NAME = re.compile(r"[^>\n]*[^>\s]")


@dataclass(frozen=True, slots=True)
class Message:
    """What one side says in a turn."""

    role: Role
    content: str
    """An assistant's calls of tools stand in it: see `tool_call`."""
    tool: str = ""
    """Of a tool's answer: which tool's."""
    thinking: str = ""
    """What an assistant thought before it."""
    learnt: bool | None = None
    """Whether a model is taught to predict it; None: as its role has it. Of a user it is an observation: what the world says
    of an action that no tool could take."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What an assistant asks a tool to do."""

    name: str
    content: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What a model answered."""

    content: str
    """Without its thoughts, calls of tools included."""
    thinking: str = ""
    calls: tuple[ToolCall, ...] = ()
    ended: bool = True
    """Whether it ended its turn; if not, it was cut."""


def tool_call(name: str, content: str) -> str:
    """The text of a call.

    Raises:
        FormatError: it could not be read back.

    """
    text = f"<tool: {name}>\n{content}\n</tool>"
    if _CALL.findall(text) != [(name, content)] or not _NAME.fullmatch(name):
        raise FormatError(f"no call of a tool can be written with the name {name!r} and this content: {content[:80]!r}")
    return text


# ---------------------------------------------------------------------------------------------------
# Writing


def chat_parts(messages: Iterable[Message], *, thinking: Thinking = "token", observations: bool = True) -> list[Part]:
    """The segments of a chat and the kind of each, from the beginning of the text on.

    Raises:
        FormatError: a message that cannot be written; it is named by its number, from 1.

    """
    parts: list[Part] = [(Token.BEGIN_OF_TEXT, Kind.PROMPT)]
    for number, message in enumerate(messages, 1):
        try:
            parts += message_parts(message, thinking=thinking, observations=observations)
        except FormatError as error:
            raise FormatError(f"message {number}: {error}") from error
    return parts


def message_parts(message: Message, *, thinking: Thinking = "token", observations: bool = True) -> list[Part]:
    """The segments of one message and the kind of each.

    Raises:
        FormatError: an answer of a tool without its name, or thoughts of who is no assistant.

    """
    parts = [(segment, Kind.PROMPT) for segment in _header(message)]
    if message.thinking and message.role != "assistant":
        raise FormatError(f"only an assistant thinks; this message is by {message.role!r}")
    if message.role == "assistant":
        said = _said(message, thinking)
        return parts + ([(segment, Kind.PROMPT) for segment, _ in said] if message.learnt is False else said)
    learnt = message.role == "tool" if message.learnt is None else message.learnt
    kind = Kind.OBSERVATION if learnt and observations and message.role != "system" else Kind.PROMPT
    content = message.content if message.role == "tool" else message.content.strip()
    return [*parts, *_text(content, kind), (ChatToken.END_OF_TURN, kind)]


def chat_prompt(messages: Iterable[Message], *, thinking: Thinking = "token", think: bool = False) -> list[Segment]:
    """The segments from which a model gives the assistant's next turn, with a thought first if it is to `think`.

    Raises:
        FormatError: see `chat_parts`.

    """
    segments = [segment for segment, _ in chat_parts(messages, thinking=thinking)]
    segments += _header(Message("assistant", ""))
    opening: Segment = ChatToken.THINKING_START if thinking == "token" else THINK
    return [*segments, opening] if think else segments


def _header(message: Message) -> list[Segment]:
    if message.role not in ROLES:
        raise FormatError(f"there is no role {message.role!r}; there are: {', '.join(ROLES)}")
    if (message.role == "tool") != bool(message.tool) or (message.tool and not _NAME.fullmatch(message.tool)):
        raise FormatError(f"an answer of a tool, and no other message, says which tool's; this one says {message.tool!r}")
    role = f"tool: {message.tool}" if message.tool else message.role
    return [ChatToken.START_HEADER, role, ChatToken.END_HEADER, "\n\n"]


def _said(message: Message, thinking: Thinking) -> list[Part]:
    """An assistant's turn after its header."""
    content, thought = message.content.strip(), message.thinking.strip()
    if not content and not thought:
        raise FormatError("an assistant's message is empty")
    end = (ChatToken.END_OF_TURN, Kind.ACTION)
    if not thought:
        return [*_text(content, Kind.ACTION), end]
    if thinking == "tag":
        if UNTHINK in thought + content:
            raise FormatError(f"a thought ends at the first {UNTHINK}; there is another in this message")
        return [(THINK, Kind.PROMPT), *_text(f"{thought}\n{UNTHINK}\n{content}", Kind.ACTION), end]
    opening, closing = (ChatToken.THINKING_START, Kind.PROMPT), (ChatToken.THINKING_END, Kind.ACTION)
    return [opening, *_text(thought, Kind.ACTION), closing, *_text(content, Kind.ACTION), end]


def _text(text: str, kind: Kind) -> list[Part]:
    return [(text, kind)] if text else []


# ---------------------------------------------------------------------------------------------------
# Reading


def parse_turn(answer: Sequence[Segment] | str) -> Turn:
    """An assistant's turn, from what a model generated after its header or after the opening of a thought.

    Raises:
        FormatError: a thought that is not closed, or closed twice; a call of a tool that is not whole; or another
            special token than those of a turn.

    """
    segments = [answer] if isinstance(answer, str) else list(answer)
    ended = bool(segments) and segments[-1] is ChatToken.END_OF_TURN
    if ended:
        segments.pop()
    specials = list(filter(is_special, segments))
    if specials == [ChatToken.THINKING_START, ChatToken.THINKING_END] and segments[0] is specials[0]:
        segments = segments[1:]
    elif specials not in ([], [ChatToken.THINKING_END]):
        raise FormatError(f"a turn is text, and a thought before it; this one holds {' '.join(t.value for t in specials)}")
    at = next((i for i, segment in enumerate(segments) if is_special(segment)), None)
    thought, content = ("", "".join(segments)) if at is None else ("".join(segments[:at]), "".join(segments[at + 1 :]))
    if at is None and (content.startswith(THINK) or UNTHINK in content):
        thought, closed, content = content.removeprefix(THINK).partition(UNTHINK)
        if not closed or UNTHINK in content:
            raise FormatError(f"a thought is not ended by one {UNTHINK}")
    return Turn(content.strip(), thought.strip(), _calls(content), ended)


def _calls(content: str) -> tuple[ToolCall, ...]:
    """The calls of tools in a text.

    Raises:
        FormatError: the beginning or the end of one is missing.

    """
    found = _CALL.findall(content)
    outside = _CALL.sub("", content)
    if "<tool:" in outside or "</tool>" in outside:
        raise FormatError("a call of a tool is not whole: it is <tool: NAME>, lines, and </tool> on a line of its own")
    return tuple(ToolCall(name, text) for name, text in found)
