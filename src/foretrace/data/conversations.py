"""Chats in JSON, as they are commonly kept: an object with `messages`, each with a `role` and a `content`.

    {"messages": [{"role": "user", "content": "What is in /tmp?"},
                  {"role": "assistant", "content": "", "tool_calls": [{"name": "bash", "content": "ls /tmp"}]},
                  {"role": "tool", "name": "bash", "content": "a.txt"}, …]}

A tool may be named in the role instead (`"role": "tool: bash"`); an assistant's calls may stand in its content as text,
or be OpenAI's (`{"function": {"name": …, "arguments": …}}`). What it thought is `thinking` or `reasoning_content`.
Trajectories of agents have the same form; their messages have a `loss` of 1 if they are learnt, and of 0 if not.

    for messages in read_conversations(Path("chats.jsonl")): …
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from foretrace.data.chat import ROLES, Message, Role, tool_call
from foretrace.errors import FormatError, UsageError

_TYPES: dict[type, str] = {str: "a text", list: "a list", dict: "an object", int: "a number", bool: "a truth value"}


def read_conversations(file: Path) -> Iterator[tuple[Message, ...]]:
    """The chats of a JSON Lines file, one a line.

    Raises:
        UsageError: there is no such file.
        FormatError: a line is no chat; the message names the line and what is wrong in it.

    """
    if not file.is_file():
        raise UsageError(f"no file {file}; wanted JSON Lines, a chat a line")
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    yield parse_conversation(line)
                except FormatError as error:
                    raise FormatError(f"{file}, line {number}: {error}") from error


def parse_conversation(line: str | bytes) -> tuple[Message, ...]:
    """The messages of a chat in JSON.

    Raises:
        FormatError: it is none; the message says what is wrong, and with which message, counted from 1.

    """
    return conversation(parse_json(line))


def parse_json(line: str | bytes) -> dict[str, Any]:
    """An object in JSON.

    Raises:
        FormatError: it is none.

    """
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"it is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise FormatError(f"it is {_TYPES.get(type(content), 'something else')}, wanted an object")
    return content


def conversation(content: dict[str, Any]) -> tuple[Message, ...]:
    """The messages of a chat that was read from JSON or a table.

    Raises:
        FormatError: see `parse_conversation`.

    """
    messages = content.get("messages")
    if not isinstance(messages, list) or not messages:
        raise FormatError('it is no chat: wanted a list "messages" that is not empty')
    found = []
    for number, message in enumerate(messages, 1):
        try:
            found.append(_message(message))
        except FormatError as error:
            raise FormatError(f"message {number}: {error}") from error
    return tuple(found)


def _message(content: Any) -> Message:
    if not isinstance(content, dict):
        raise FormatError('it is no object with a "role" and a "content"')
    role, tool = _text(content, "role"), ""
    if role == "tool" or role.startswith("tool: "):
        role, tool = "tool", role.removeprefix("tool").removeprefix(": ") or _text(content, "name")
    calls = content.get("tool_calls") or []
    if not isinstance(calls, list) or (calls and role != "assistant"):
        raise FormatError("only an assistant calls tools, by a list of 'tool_calls'")
    text = "\n".join(filter(None, [_text(content, "content"), *map(_call, calls)]))
    thinking = _text(content, "thinking") or _text(content, "reasoning_content")
    return Message(_role(role), text, tool, thinking, _learnt(content))


def _learnt(content: dict[str, Any]) -> bool | None:
    """Whether a message is learnt, if it says so; the first messages of a trajectory are given, and no answers."""
    loss = content.get("loss")
    if loss not in (None, 0, 1):
        raise FormatError(f"its 'loss' is {loss!r:.40}, wanted 0 or 1")
    return None if loss is None else bool(loss)


def _role(name: str) -> Role:
    for role in get_args(Role):
        if name == role:
            return role  # type: ignore[no-any-return]
    raise FormatError(f"there is no role {name!r}; there are: {', '.join(ROLES)}")


def _text(content: dict[str, Any], name: str) -> str:
    """A text; empty if there is none."""
    value = content.get(name)
    if value is not None and not isinstance(value, str):
        raise FormatError(f"its {name!r} is {_TYPES.get(type(value), 'something else')}, wanted a text")
    return value or ""


def _call(content: Any) -> str:
    """The text of a call, given as ours or as OpenAI's."""
    if isinstance(content, dict):
        function = content.get("function")
        name, text = (
            (function.get("name"), function.get("arguments"))
            if isinstance(function, dict)
            else (content.get("name"), content.get("content"))
        )
        if isinstance(name, str) and isinstance(text, str):
            return tool_call(name, text)
    raise FormatError('a call of a tool has a "name" and a "content", or a "function" with a "name" and "arguments" as text')
