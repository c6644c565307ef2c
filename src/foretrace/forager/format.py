r"""What an agent and its tools say to each other, in the text form of CWM's release (`cwm/rl/swerl`, PROMPTING_GUIDE.md).

    read_call("I look.\n<tool: bash>\nls\n</tool>")       # Call("bash", "ls")
    write_call(Call("bash", "ls"))                        # "<tool: bash>\nls\n</tool>"
    observation("a.py", turns=127, tokens=130000)         # <output>…</output>, an empty line, <budget>…</budget>
    render_transcript(parse_transcript(text)) == text     # a whole episode, as one text

An action is an assistant's message that holds exactly one call. What a tool answers has the role `tool: NAME`; what is
wrong with a message is said by the user. Transcripts are text in which special tokens are spelt out; for training, where
a text must not be able to spell one, `data` keeps them apart.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from foretrace.errors import FormatError

THINK, UNTHINK = "<think>\n", "</think>"
_CALL = re.compile(r"<tool:\s([a-zA-Z_]+)>\n(.*?)\n</tool>", re.DOTALL)
_OPENING, _CLOSING = "<tool:", "</tool>"
_OBSERVATION = re.compile(
    r"<output>\n(.*)\n</output>\n\n<budget>\n\* Remaining turns: (-?\d+)\n\* Remaining tokens: (-?\d+)\n</budget>", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Call:
    """What an agent asks a tool to do."""

    tool: str
    argument: str
    """All that stands between the lines of the two tags."""


# ---------------------------------------------------------------------------------------------------
# Calls


def read_call(text: str) -> Call | None:
    """The call in an agent's message, thoughts left out; None if nothing in it looks like one.

    Raises:
        FormatError: what looks like a call is none, there are several, or it is empty. The message is for the agent.

    """
    calls = _CALL.findall(text)
    if len(calls) > 1:
        names = ", ".join(name for name, _ in calls)
        raise FormatError(f"one tool call a turn, please: this message has {len(calls)} ({names}), and none was run")
    if not len(calls) == text.count(_OPENING) == text.count(_CLOSING):
        raise FormatError(
            "the tool call is not whole: it begins with a line <tool: NAME>, ends with a line </tool>, has at least one "
            "line between them, and neither tag stands anywhere else in the message"
        )
    if not calls:
        return None
    if not calls[0][1].strip():
        raise FormatError(f"the call of {calls[0][0]} is empty: it needs something between its two tags")
    return Call(*calls[0])


def write_call(call: Call) -> str:
    """The text of a call.

    Raises:
        FormatError: it could not be read back, because it spells a tag or is empty.

    """
    text = f"<tool: {call.tool}>\n{call.argument}\n</tool>"
    if read_call(text) != call:
        raise FormatError(f"the call of {call.tool!r} cannot be written as text: {call.argument[:80]!r}")
    return text


def without_call(text: str) -> str:
    """What an agent says beside its call."""
    return _CALL.sub("", text).strip()


def split_thought(reply: str) -> tuple[str, str]:
    """An agent's thought in clear text, and its message without it.

    Raises:
        FormatError: a thought that does not end, or ends twice.

    """
    opened = reply.lstrip().startswith(THINK.rstrip())
    if not opened and UNTHINK not in reply:
        return "", reply
    thought, closed, message = reply.lstrip().removeprefix(THINK.rstrip()).partition(UNTHINK)
    if not closed:
        raise FormatError(f"the thought does not end: {UNTHINK} is missing, so nothing was done")
    if UNTHINK in message:
        raise FormatError(f"the message has more than one {UNTHINK}: what was thought cannot be told from what is said")
    return thought.strip("\n"), message.lstrip("\n")


# ---------------------------------------------------------------------------------------------------
# Observations


def observation(output: str, *, turns: int, tokens: int) -> str:
    """What an agent is shown of a tool's output, with the turns and tokens that it has left."""
    return f"<output>\n{output}\n</output>\n\n<budget>\n* Remaining turns: {turns}\n* Remaining tokens: {tokens}\n</budget>"


def read_observation(text: str) -> tuple[str, int, int]:
    """The output, the turns and the tokens left, of what an agent was shown.

    Raises:
        FormatError: it is of another form.

    """
    found = _OBSERVATION.fullmatch(text)
    if found is None:
        raise FormatError(f"it is no observation: wanted <output>…</output> and <budget>…</budget>, not {text[:80]!r}")
    return found[1], int(found[2]), int(found[3])


# ---------------------------------------------------------------------------------------------------
# Transcripts

_BEGIN, _HEADER, _HEADER_END, _END = "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"
_SPECIAL = (_BEGIN, _HEADER, _HEADER_END, _END)


@dataclass(frozen=True, slots=True)
class Message:
    """What one side says in a turn."""

    role: str
    """`system`, `user`, `assistant` or `tool: NAME`."""
    content: str
    ended: bool = True
    """Only the last message of a transcript may not be: it was cut, or is still to be written."""


def render_transcript(messages: Iterable[Message]) -> str:
    """Messages as one text.

    Raises:
        FormatError: one of them spells a special token, or is not ended and not the last.

    """
    pieces, ended = [_BEGIN], True
    for number, message in enumerate(messages, 1):
        spelt = next((token for token in _SPECIAL if token in message.role + message.content), None)
        if spelt or not ended:
            problem = f"spells the special token {spelt}" if spelt else "follows one that is not ended"
            raise FormatError(f"message {number} {problem}: as text, it could not be read back")
        ended = message.ended
        pieces += [_HEADER, message.role, _HEADER_END, "\n\n", message.content, _END if ended else ""]
    return "".join(pieces)


def parse_transcript(text: str) -> tuple[Message, ...]:
    """The messages of a text.

    Raises:
        FormatError: the text is of another form; it is said where.

    """
    if not text.startswith(_BEGIN):
        raise FormatError(f"a transcript begins with {_BEGIN}, this one with {text[:40]!r}")
    messages: list[Message] = []
    head, *rest = text.removeprefix(_BEGIN).split(_HEADER)
    if head:
        raise FormatError(f"after {_BEGIN} comes {_HEADER}, not {head[:40]!r}")
    for number, piece in enumerate(rest, 1):
        role, closed, body = piece.partition(_HEADER_END + "\n\n")
        content, end, after = body.partition(_END)
        if not closed or after or any(token in role + content for token in _SPECIAL):
            raise FormatError(f"message {number} of the transcript is not a header, a content and {_END}: {piece[:80]!r}")
        if not end and number < len(rest):
            raise FormatError(f"message {number} of the transcript has no {_END}, and is not the last")
        messages.append(Message(role, content, bool(end)))
    return tuple(messages)
