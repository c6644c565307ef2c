"""What a server answers: read with care, because servers differ and proxies answer web pages."""

from dataclasses import dataclass
from typing import Any

from foretrace.errors import EndpointError


@dataclass(frozen=True, slots=True)
class Completion:
    """A text that a model wrote."""

    text: str
    finish_reason: str
    """`stop`, `length`, …; empty where the server does not say."""
    prompt_tokens: int
    """0 where the server does not count."""
    completion_tokens: int
    model: str
    """The one that answered, by its own account."""
    logprobs: tuple[tuple[str, float], ...] | None = None
    """Each token with its log-probability, where they were asked for."""


@dataclass(slots=True)
class Usage:
    """What an endpoint has been used for so far: answered requests, tokens, and the cost at the prices given."""

    requests: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


def read_completion(body: Any, *, chat: bool, logprobs: bool) -> Completion:
    """A completion from the JSON that a server sent; an EndpointError names a field that is missing or of another type."""
    choices = field_of(body, "choices", list, "the answer")
    if not choices:
        raise EndpointError("the answer has no completion: its `choices` are empty")
    choice = choices[0]
    holder = field_of(choice, "message", dict, "`choices[0]`") if chat else choice
    text = field_of(holder, *("content", str, "`choices[0].message`") if chat else ("text", str, "`choices[0]`"))
    prompt, completion = count_of(body, "prompt"), count_of(body, "completion")
    found = _read_logprobs(choice, chat) if logprobs else None
    return Completion(text, str(choice.get("finish_reason") or ""), prompt, completion, str(body.get("model") or ""), found)


def count_of(body: Any, what: str) -> int:
    """The tokens of the `prompt` or of the `completion`, as the server counts them; 0 where it does not."""
    usage = body.get("usage")
    count = usage.get(f"{what}_tokens") if isinstance(usage, dict) else None
    return count if isinstance(count, int) else 0


def _read_logprobs(choice: Any, chat: bool) -> tuple[tuple[str, float], ...]:
    found, where = field_of(choice, "logprobs", dict, "`choices[0]`"), "`choices[0].logprobs`"
    if chat:
        items = field_of(found, "content", list, where)
        return tuple((field_of(i, "token", str, where), field_of(i, "logprob", (int, float), where)) for i in items)
    tokens, values = field_of(found, "tokens", list, where), field_of(found, "token_logprobs", list, where)
    if len(tokens) != len(values):
        raise EndpointError(f"{where} has {len(tokens)} tokens and {len(values)} values")
    return tuple((str(token), float(value or 0.0)) for token, value in zip(tokens, values, strict=True))


def field_of(holder: Any, name: str, kind: Any, where: str) -> Any:
    """The field `name`, if it is there and of the type; an EndpointError says which is not."""
    if not isinstance(holder, dict):
        raise EndpointError(f"{where} is not a JSON object but {shown(holder)}")
    if name not in holder:
        raise EndpointError(f"{where} has no `{name}`, only {', '.join(map(repr, holder)) or 'nothing'}: {shown(holder)}")
    if not isinstance(holder[name], kind):
        raise EndpointError(f"`{name}` of {where} is not a {getattr(kind, '__name__', 'number')} but {shown(holder[name])}")
    return holder[name]


def shown(value: object) -> str:
    """A piece of what a server sent, short enough for a message."""
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    return text if len(text) <= 200 else text[:200] + "…"
