"""A model's turn in a conversation: what it says, what it thought, and the functions that it calls.

    reply = endpoint.converse(messages, tools=[{"type": "function", "function": {…}}])
    reply.text, reply.calls[0].name, reply.calls[0].arguments       # the arguments as the model wrote them: maybe no JSON

Servers differ: a content may be null, a text or a list of parts; a thought is `reasoning_content` or `reasoning`;
arguments are a text or an object. What they sent is kept as it came.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foretrace.endpoint.answer import count_of, field_of, shown
from foretrace.errors import EndpointError


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function that a model calls."""

    id: str
    """By which the answer to it names it."""
    name: str
    arguments: str
    """JSON, if the model wrote it well."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's turn."""

    text: str
    thought: str
    calls: tuple[FunctionCall, ...]
    finish_reason: str
    """`stop`, `tool_calls`, `length`, …; empty where the server does not say."""
    prompt_tokens: int
    """0 where the server does not count."""
    completion_tokens: int
    model: str
    message: Mapping[str, Any]
    """As the server sent it."""
    cost: float = 0.0
    """At the endpoint's prices."""


def read_reply(body: Any) -> Reply:
    """A turn from the JSON that a server sent; an EndpointError names a field that is missing or of another type."""
    choices = field_of(body, "choices", list, "the answer")
    if not choices:
        raise EndpointError("the answer has no reply: its `choices` are empty")
    message = field_of(choices[0], "message", dict, "`choices[0]`")
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise EndpointError(f"`tool_calls` of `choices[0].message` is not a list but {shown(calls)}")
    return Reply(
        text=text_of(message.get("content")),
        thought=text_of(message.get("reasoning_content") or message.get("reasoning")),
        calls=tuple(_call(call, number) for number, call in enumerate(calls)),
        finish_reason=str(choices[0].get("finish_reason") or ""),
        prompt_tokens=count_of(body, "prompt"),
        completion_tokens=count_of(body, "completion"),
        model=str(body.get("model") or ""),
        message=message,
    )


def text_of(content: Any) -> str:
    """A text that may be null, or a list of parts; an EndpointError if it is something else."""
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        return "".join(part for part in parts if isinstance(part, str))
    if content is not None and not isinstance(content, str):
        raise EndpointError(f"a text of `choices[0].message` is not a text but {shown(content)}")
    return content or ""


def _call(call: Any, number: int) -> FunctionCall:
    function = field_of(call, "function", dict, f"`tool_calls[{number}]`")
    name = field_of(function, "name", str, f"`tool_calls[{number}].function`")
    arguments = function.get("arguments")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments if arguments is not None else {})
    return FunctionCall(str(call.get("id") or f"call_{number}"), name, text)
