"""A model on any OpenAI-compatible server (vLLM, llama.cpp, a hosted one, CWM itself), through `foretrace.endpoint`.

    policy = Chat(Endpoint("http://localhost:8000/v1", model="qwen3"))                  # calls tools as functions
    policy = Chat(Endpoint("http://localhost:8000/v1", model="cwm"), style="cwm")       # calls them in text

One object serves many episodes at a time. What the server sent is kept with the action, and what the model is shown is made
from the record alone, so that an episode that was killed goes on with the very messages that it had.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from foretrace.endpoint import Endpoint, FunctionCall, Reply
from foretrace.errors import EndpointError, FormatError, UsageError
from foretrace.forager.format import THINK, UNTHINK
from foretrace.forager.policies.types import History, OutOfContextError, Policy
from foretrace.forager.tools import TOOLS, functions
from foretrace.forager.trajectory import Action, JsonObject, Step, Usage, whole_characters

Style = Literal["functions", "cwm", "text"]
"""How tools are called: as functions; in text, answered in the role `tool`, as CWM has it; in text, answered by the user."""
_CHARACTERS_PER_TOKEN = 16
"""More than any text has: a stream with more characters than this is of a server that does not count."""
_TOO_LONG = re.compile(r"context[ _](length|window|size)|maximum context|too many tokens|prompt is too long", re.IGNORECASE)


class Chat(Policy):
    """Asks a model."""

    name = "chat"

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        style: Style = "functions",
        stream: bool = True,
        fields: JsonObject | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> None:
        """Takes an endpoint of chats.

        Args:
            endpoint: with its temperature, seed, prices and limits.
            style: see `Style`.
            stream: have answers in pieces.
            fields: others of each request, such as `{"chat_template_kwargs": {"enable_thinking": True}}`; None leaves out
                one that is sent else, such as `parallel_tool_calls`, which some servers do not know.
            on_text: told the pieces as they come.

        """
        if not endpoint.chat:
            raise UsageError("an agent needs an endpoint of chats (chat=True): plain completions have no turns")
        self.endpoint, self.style, self.stream, self.on_text = endpoint, style, stream, on_text
        self.fields = dict(fields or {})
        self.functions = style == "functions"

    def settings(self) -> JsonObject:
        """The model, and what its answers depend on. Neither the key nor the address."""
        endpoint = self.endpoint
        names = ("model", "temperature", "max_tokens", "seed")
        more = {"fields": self.fields} if self.fields else {}
        return {name: getattr(endpoint, name) for name in names} | {"style": self.style} | more

    def act(self, history: History) -> Action:
        """The model's next turn; errors as in `Policy.act`."""
        limits = [limit for limit in (history.reply_tokens, self.endpoint.max_tokens) if limit is not None]
        fields: dict[str, Any] = {"max_tokens": min(limits)} if limits else {}
        if self.functions:
            fields |= {"tools": functions(), "parallel_tool_calls": False}
        fields = {name: value for name, value in (fields | self.fields).items() if value is not None}
        start = time.monotonic()
        try:
            reply = self.endpoint.converse(
                self._messages(history),
                stream=self.stream,
                characters=min([*limits, history.tokens_left]) * _CHARACTERS_PER_TOKEN,
                on_text=self.on_text,
                **fields,
            )
        except EndpointError as error:
            if _TOO_LONG.search(str(error)):
                raise OutOfContextError(str(error)) from error
            raise
        usage = Usage(
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            cost=reply.cost,
            seconds=round(time.monotonic() - start, 6),
        )
        info = {"model": reply.model, "finish_reason": reply.finish_reason, "reply": _kept(reply.message)}
        return self._action(reply, usage=usage, info=info)

    # ------------------------------------------------------------------------------------------------
    # What the model says

    def _action(self, reply: Reply, **more: Any) -> Action:
        if self.functions and reply.calls:
            return _called(reply, **more)
        action = Action.read(reply.text, reply.thought, **more)
        if not action.tool and not action.problem:
            problem = _nothing_called(reply)
            return Action(content=action.content, thought=action.thought, problem=problem, **more)
        return action

    # ------------------------------------------------------------------------------------------------
    # What the model is shown

    def _messages(self, history: History) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": history.system},
            {"role": "user", "content": history.prompt},
        ]
        for step in history.steps:
            messages += self._turn(step)
        return messages

    def _turn(self, step: Step) -> list[dict[str, Any]]:
        calls = step.action.info.get("reply", {}).get("tool_calls") if self.functions else None
        if calls:
            return _function_turn(step, calls)
        content = step.action.content
        if self.style == "cwm" and step.action.thought:
            content = f"{THINK}{step.action.thought}\n{UNTHINK}\n{content}"
        answer: dict[str, Any] = {"role": "user", "content": step.observation}
        if self.style == "cwm" and step.role.startswith("tool: "):
            answer = {"role": "tool", "name": step.action.tool, "content": step.observation}
        return [{"role": "assistant", "content": content or " "}, *([answer] if step.role else [])]


def _kept(message: Mapping[str, Any]) -> JsonObject:
    """What the server sent, as files and servers take it: halves of characters are replaced, and `NaN` is a text."""
    kept: JsonObject = json.loads(whole_characters(json.dumps(dict(message), ensure_ascii=False)), parse_constant=str)
    return kept


def _nothing_called(reply: Reply) -> str:
    """Why a message without a call cannot be a last word; empty if it can."""
    if reply.finish_reason == "length":
        return "the message was cut, for it was too long, and has no whole tool call: nothing was run"
    return "" if reply.text.strip() else "the message is empty: call a tool, or say that you are done"


def _called(reply: Reply, **more: Any) -> Action:
    """The action of a reply that calls functions."""
    text = reply.text.strip()
    try:
        if len(reply.calls) > 1:
            names = ", ".join(call.name for call in reply.calls)
            raise FormatError(f"one tool call a turn, please: this message has {len(reply.calls)} ({names}); none was run")
        name, argument = _composed(reply.calls[0])
    except FormatError as error:
        cut = " The message was cut, for it was too long." if reply.finish_reason == "length" else ""
        return Action(content=text, thought=reply.thought, problem=f"{error}{cut}", **more)
    return Action.call(name, argument, text, thought=reply.thought, **more)


def _composed(call: FunctionCall) -> tuple[str, str]:
    """The tool and its argument in text.

    Raises:
        FormatError: there is no such tool, or it is called wrongly. The message is for the model.

    """
    if call.name not in TOOLS:
        raise FormatError(f"there is no tool {call.name!r}; there are: {', '.join(TOOLS)}. Nothing was run")
    tool = TOOLS[call.name]
    try:
        given = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise FormatError(f"the arguments of {call.name} are no JSON ({error}): {call.arguments[:200]!r}") from error
    if not isinstance(given, Mapping):
        raise FormatError(f"the arguments of {call.name} are no JSON object: {call.arguments[:200]!r}")
    missing = [name for name in tool.parameters if name not in tool.optional and name not in given]
    unknown = [name for name in given if name not in tool.parameters]
    if missing or unknown:
        problem = f"{', '.join(missing)} missing" if missing else f"{', '.join(map(str, unknown))} unknown"
        raise FormatError(f"{call.name} takes {', '.join(tool.parameters)}: {problem}. Nothing was run")
    values = {name: _as_text(call.name, name, value) for name, value in given.items() if value is not None}
    return call.name, tool.compose(**values)


def _as_text(tool: str, name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise FormatError(f"{name} of {tool} is no text: {value!r:.80}. Nothing was run")


def _function_turn(step: Step, calls: list[Any]) -> list[dict[str, Any]]:
    """A turn as the server needs it back: every call with an answer, even if none was run."""
    sent, answers = [], []
    for number, call in enumerate(calls):
        identity = str(call.get("id") or f"call_{number}")
        function = dict(call["function"])
        function["arguments"] = _valid(function.get("arguments"))
        sent.append({"id": identity, "type": "function", "function": function})
        answers.append({"role": "tool", "tool_call_id": identity, "content": step.observation})
    said = step.action.text or None
    return [{"role": "assistant", "content": said, "tool_calls": sent}, *answers]


def _valid(arguments: Any) -> str:
    """The arguments, or none if they are no JSON: servers refuse what they cannot parse. What was wrong is in the answer."""
    if not isinstance(arguments, str):
        return json.dumps(arguments or {})
    try:
        json.loads(arguments)
    except (ValueError, RecursionError):
        return "{}"
    return arguments
